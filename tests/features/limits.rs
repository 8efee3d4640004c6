//! Limits of executions. A running execution keeps the limits with which it started, even in a hub
//! with other limits.

use std::sync::Arc;
use std::time::Duration;

use durable::prelude::*;
use durable::protocol::FailureDetails;
use durable::store::{MemoryStore, Store};
use durable::testing::TestHub;
use serde::{Deserialize, Serialize};

use super::failures::failure_types;

const SECOND: Duration = Duration::from_secs(1);

#[activity]
async fn measured(text: String) -> usize {
    text.len()
}

/// The length of the result, or the kind of failure; before and after an event.
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
async fn a_running_instance_keeps_the_limits_of_its_start() -> Result<()> {
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
        // Executions that begin now have the current limits.
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
    /// Signals itself endlessly, until it is refused.
    fn shout(&mut self, ctx: &EntityContext) -> Result<()> {
        loop {
            ctx.signal(Chatty::at("other").whisper())?;
        }
    }

    fn whisper(&mut self) {}
}

#[tokio::test]
async fn an_operation_that_signals_endlessly_fails_at_the_limit() -> Result<()> {
    let hub = TestHub::builder().configure(|hub| hub.max_actions(100)).open().await?;
    let failed = hub.call_entity(Chatty::at("a").shout()).await.unwrap_err().to_string();
    assert!(failed.contains("this operation has sent 100 signals and starts"), "{failed}");
    Ok(())
}

#[orchestrator]
pub(super) async fn sets_timers(ctx: &OrchestrationContext, timers: u32) -> Result<()> {
    for _ in 0..timers {
        ctx.create_timer(SECOND).await;
    }
    Ok(())
}

#[tokio::test]
async fn too_many_actions_or_unread_events_fail_the_instance() -> Result<()> {
    let limits = |hub: durable::client::TaskHubBuilder| hub.max_actions(10).max_unread_events(3);
    let hub = TestHub::builder().configure(limits).open().await?;
    hub.start(sets_timers(10)).await?.result().await?;
    let greedy = hub.start(sets_timers(11)).await?;
    assert_eq!(failure_types(&greedy).await?, [FailureDetails::TOO_MANY_ACTIONS]);
    let deaf = hub.start(sets_timers(1)).await?;
    for n in 0..4 {
        deaf.raise_event("number", &n).await?;
    }
    assert_eq!(failure_types(&deaf).await?, [FailureDetails::TOO_MANY_EVENTS]);
    Ok(())
}
