//! Limits count from an execution's start: a hub that is opened with others changes nothing of it.

use std::sync::Arc;
use std::time::Duration;

use durable::prelude::*;
use durable::protocol::FailureDetails;
use durable::store::{MemoryStore, Store};
use durable::testing::TestHub;
use serde::{Deserialize, Serialize};

#[activity]
async fn measured(text: String) -> usize {
    text.len()
}

/// The length that comes back, or the kind of failure; before and after an event.
#[orchestrator]
async fn measures_twice(ctx: &OrchestrationContext, size: usize) -> Result<[String; 2]> {
    let text = "x".repeat(size);
    let say = |length: Result<usize, TaskFailed>| match length {
        Ok(length) => length.to_string(),
        Err(failed) => failed.details().error_type.clone(),
    };
    let first = say(measured(text.clone()).await);
    ctx.set_custom_status("waits")?;
    ctx.wait_for_external_event::<()>("go").await?;
    Ok([first, say(measured(text).await)])
}

#[tokio::test]
async fn a_running_instance_keeps_the_limits_with_which_it_began() -> Result<()> {
    let large = 100_000;
    let small = 1_000;
    for (before, after) in [(large, small), (small, large)] {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let builder = || TaskHub::builder().store(Arc::clone(&store));
        let hub = builder().max_payload(before).open().await?;
        let run = hub.start(measures_twice(2_000).instance_id("run")).await?;
        while run.custom_status::<String>().await?.is_none() {
            tokio::task::yield_now().await;
        }
        hub.shutdown().await?;

        let hub = builder().max_payload(after).open().await?;
        let run = hub.find_instance::<measures_twice>("run").await?.expect("it was started");
        run.raise_event("go", &()).await?;
        let said = if before == large { "2000" } else { FailureDetails::PAYLOAD_TOO_LARGE };
        assert_eq!(run.result().await?, [said, said]);
        // What begins now has the limits of now.
        let run = hub.start(measures_twice(2_000)).await?;
        run.raise_event("go", &()).await?;
        let said = if after == large { "2000" } else { FailureDetails::PAYLOAD_TOO_LARGE };
        assert_eq!(run.result().await?, [said, said]);
        hub.shutdown().await?;
    }
    Ok(())
}

#[derive(Default, Serialize, Deserialize)]
struct Chatty {}

#[entity]
impl Chatty {
    /// Signals itself without end, until it is told that it may not.
    fn shout(&mut self, ctx: &EntityContext) -> Result<()> {
        loop {
            ctx.signal(Chatty::at("other").whisper())?;
        }
    }

    fn whisper(&mut self) {}
}

#[tokio::test]
async fn an_operation_that_signals_without_end_fails() -> Result<()> {
    let hub = TestHub::builder().configure(|hub| hub.max_actions(100)).open().await?;
    let failed = hub.call_entity(Chatty::at("a").shout()).await.unwrap_err().to_string();
    assert!(failed.contains("this operation has sent 100 signals and starts"), "{failed}");
    Ok(())
}

#[orchestrator]
async fn takes_an_hour(ctx: &OrchestrationContext) -> Result<()> {
    ctx.create_timer(Duration::from_hours(1)).await;
    Ok(())
}

#[orchestrator(timeout = "10s")]
async fn takes_an_hour_of_10_s(ctx: &OrchestrationContext) -> Result<()> {
    ctx.create_timer(Duration::from_hours(1)).await;
    Ok(())
}

/// What is said of a start with an option that counts only for a call that is awaited.
#[orchestrator]
async fn starts_with_options(ctx: &OrchestrationContext) -> Result<Vec<String>> {
    let second = Duration::from_secs(1);
    ctx.start(takes_an_hour().tag("kind", "plain"))?;
    Ok(vec![
        ctx.start(takes_an_hour().timeout(second)).unwrap_err().to_string(),
        ctx.start(takes_an_hour().retry(RetryPolicy::new(3, second))).unwrap_err().to_string(),
    ])
}

#[orchestrator]
async fn again_with_options(ctx: &OrchestrationContext, round: u32) -> Result<u32> {
    let second = Duration::from_secs(1);
    let next = again_with_options(round + 10);
    match round {
        0 => ctx.continue_as_new(next.timeout(second)).await,
        1 => ctx.continue_as_new(next.retry(RetryPolicy::new(3, second))).await,
        2 => ctx.continue_as_new(next.tag("a", "b")).await,
        3 => ctx.continue_as_new(next.instance_id("other")).await,
        4 => ctx.continue_as_new(next.start_at(second)).await,
        5 => ctx.continue_as_new(next).await,
        round => Ok(round),
    }
}

#[tokio::test]
async fn an_option_that_has_no_effect_is_refused_by_its_name() -> Result<()> {
    let hub = TestHub::open().await?;
    let second = Duration::from_secs(1);
    let refused = hub.start(takes_an_hour().timeout(second)).await.unwrap_err().to_string();
    let said = |option| {
        format!(
            "a call of `takes_an_hour` with `{option}` cannot be started; it counts for a call whose result \
             is waited for: await the call in an orchestrator instead of starting it, or leave the \
             option out"
        )
    };
    assert_eq!(refused, said("timeout"));
    let retried = takes_an_hour().retry(RetryPolicy::new(3, second));
    assert_eq!(hub.start_if_absent(retried).await.unwrap_err().to_string(), said("retry"));
    assert_eq!(
        hub.start(starts_with_options()).await?.result().await?,
        ["timeout", "retry"].map(said)
    );
    // What an attribute declares counts for calls that are awaited, and is no error elsewhere.
    hub.start(takes_an_hour_of_10_s()).await?.result().await?;

    for (round, option) in
        [(0, "timeout"), (1, "retry"), (2, "tag"), (3, "instance_id"), (4, "start_at")]
    {
        let failed =
            hub.start(again_with_options(round)).await?.result().await.unwrap_err().to_string();
        let said = format!("`continue_as_new` was given a call with `{option}`, which has no");
        assert!(failed.contains(&said), "{failed}");
    }
    assert_eq!(hub.start(again_with_options(5)).await?.result().await?, 15);
    Ok(())
}
