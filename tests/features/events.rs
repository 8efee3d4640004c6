//! External events: early and late, in order, typed and untyped; none is lost.

use std::time::Duration;

use durable::RuntimeStatus;
use durable::client::ManageError;
use durable::prelude::*;
use durable::task::{Race2, Race3};
use durable::testing::TestHub;
use serde::{Deserialize, Serialize};

const HOUR: Duration = Duration::from_hours(1);

#[durable::event]
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Approval {
    by: String,
}

#[orchestrator]
async fn gather(ctx: &OrchestrationContext, count: u32) -> Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for _ in 0..count {
        numbers.push(ctx.wait_for_external_event::<u32>("Number").await?);
    }
    Ok(numbers)
}

/// Waits hour by hour, and drops the wait each time the timer wins.
#[orchestrator]
async fn patient(ctx: &OrchestrationContext) -> Result<(u32, String)> {
    let mut waits = 0;
    loop {
        waits += 1;
        let answer = ctx.wait_for_event::<Approval>();
        let hour = ctx.create_timer(Duration::from_hours(1));
        match durable::race((answer, hour)).await {
            Race2::First(approval) => return Ok((waits, approval?.by)),
            Race2::Second(()) => {}
        }
    }
}

#[orchestrator]
async fn two_waits(ctx: &OrchestrationContext) -> Result<(u32, u32)> {
    let (first, second) = durable::join((
        ctx.wait_for_external_event::<u32>("n"),
        ctx.wait_for_external_event::<u32>("N"),
    ))
    .await;
    Ok((first?, second?))
}

/// A wait that has received its event, and is dropped before it is polled again.
#[orchestrator]
async fn dropped(ctx: &OrchestrationContext) -> Result<(bool, u32)> {
    let mut first = Box::pin(ctx.wait_for_external_event::<u32>("n"));
    let go = ctx.wait_for_external_event::<bool>("go");
    // It is awaited in a race and loses. Its event then arrives while something else is awaited.
    let begun = durable::race((go, &mut first)).await;
    ctx.wait_for_external_event::<bool>("drop").await?;
    drop(first);
    let next = ctx.wait_for_external_event("n").await?;
    Ok((matches!(begun, Race2::First(_)), next))
}

/// The older wait is dropped at 11 s, after the younger one was polled in the same pass.
#[orchestrator]
async fn handed_on(ctx: &OrchestrationContext) -> Result<(i64, u32)> {
    let began = ctx.current_utc_datetime();
    let younger = async {
        ctx.create_timer(Duration::from_secs(2)).await;
        ctx.wait_for_external_event::<u32>("n").await?;
        Ok::<_, Error>((ctx.current_utc_datetime() - began).num_seconds())
    };
    let older = async {
        let mut wait = ctx.wait_for_external_event::<u32>("n");
        let _ = durable::race((&mut wait, ctx.create_timer(Duration::from_secs(1)))).await;
        ctx.create_timer(Duration::from_secs(10)).await;
        drop(wait);
        ctx.create_timer(Duration::from_hours(24)).await;
        1
    };
    let (younger, older) = durable::join((younger, older)).await;
    Ok((younger?, older))
}

/// The older wait is dropped once both have their events.
#[orchestrator]
async fn in_line(ctx: &OrchestrationContext) -> Result<(u32, u32)> {
    let mut first = ctx.wait_for_external_event::<u32>("n");
    let mut second = ctx.wait_for_external_event::<u32>("n");
    let second_later = ctx.create_timer(Duration::from_secs(1));
    let _ = durable::race((&mut first, &mut second, second_later)).await;
    ctx.create_timer(Duration::from_secs(10)).await;
    drop(first);
    Ok((second.await?, ctx.wait_for_external_event("n").await?))
}

#[orchestrator]
async fn forgiving(ctx: &OrchestrationContext) -> Result<String> {
    let refused = ctx.wait_for_external_event::<u32>("n").await.unwrap_err();
    let number = ctx.wait_for_external_event::<u32>("n").await?;
    Ok(format!("{number} after: {refused}"))
}

#[orchestrator]
async fn tells(ctx: &OrchestrationContext, whom: String) -> Result<()> {
    for n in 0..3_u32 {
        ctx.send_event(&whom, "number", &n)?;
    }
    ctx.send_event("nobody", "number", &1)
}

#[tokio::test]
async fn events_arrive_in_order_whether_early_or_late() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(gather(4)).await?;
    for n in 0..4_u32 {
        // Names are compared without regard to case.
        run.raise_event(if n % 2 == 0 { "number" } else { "NUMBER" }, &n).await?;
    }
    assert_eq!(run.result().await?, [0, 1, 2, 3]);
    Ok(())
}

#[tokio::test]
async fn ten_thousand_early_events_are_kept_until_awaited() -> Result<()> {
    let hub = TestHub::builder().configure(|hub| hub.verify_replay(false)).open().await?;
    let run = hub.start(gather(10_000).start_at(Duration::from_mins(1))).await?;
    for n in 0..10_000_u32 {
        run.raise_event("Number", &n).await?;
    }
    assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Pending);
    assert_eq!(run.result().await?, (0..10_000).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn a_typed_event_is_raised_and_awaited_by_its_type() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(patient()).await?;
    hub.advance(Duration::from_secs(2 * 3600 + 1)).await;
    run.raise(&Approval { by: "Ada".into() }).await?;
    assert_eq!(run.result().await?, (3, "Ada".into()));
    Ok(())
}

#[tokio::test]
async fn the_oldest_wait_gets_the_first_event() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(two_waits()).await?;
    run.raise_event("n", &1).await?;
    run.raise_event("n", &2).await?;
    assert_eq!(run.result().await?, (1, 2));
    Ok(())
}

#[tokio::test]
async fn an_event_of_a_dropped_wait_goes_to_the_next() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(dropped()).await?;
    run.raise_event("go", &true).await?;
    run.raise_event("n", &7).await?;
    run.raise_event("drop", &true).await?;
    assert_eq!(run.result().await?, (true, 7));
    Ok(())
}

#[tokio::test]
async fn an_event_that_a_dropped_wait_passes_on_is_read_immediately() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(handed_on().instance_id("handed-on")).await?;
    hub.raise_event_after(Duration::from_secs(5), "handed-on", "n", &7)?;
    assert_eq!(run.result().await?, (11, 1));
    Ok(())
}

#[tokio::test]
async fn events_stay_in_order_when_an_older_wait_is_dropped() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(in_line().instance_id("in-line")).await?;
    hub.raise_event_after(Duration::from_secs(2), "in-line", "n", &1)?;
    hub.raise_event_after(Duration::from_secs(3), "in-line", "n", &2)?;
    assert_eq!(run.result().await?, (1, 2));
    Ok(())
}

#[tokio::test]
async fn an_unreadable_event_is_an_error_that_the_orchestrator_can_handle() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(forgiving()).await?;
    run.raise_event("n", &"seven").await?;
    run.raise_event("n", &7).await?;
    assert_eq!(
        run.result().await?,
        "7 after: external event `n` failed: what it carries cannot be read as `u32`: invalid type: \
         string \"seven\", expected u32 at line 1 column 7"
    );
    Ok(())
}

#[tokio::test]
async fn instances_send_events_to_each_other() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(gather(3).instance_id("listener")).await?;
    hub.start(tells("listener".into())).await?.result().await?;
    assert_eq!(run.result().await?, [0, 1, 2]);
    Ok(())
}

#[tokio::test]
async fn events_for_missing_or_ended_instances_are_rejected() -> Result<()> {
    let hub = TestHub::builder().configure(|hub| hub.max_payload(1024)).open().await?;
    let nobody = hub.instance("nobody")?.raise_event("n", &1).await;
    assert_eq!(nobody.unwrap_err().to_string(), "there is no instance `nobody`");

    let run = hub.start(gather(1).instance_id("listener")).await?;
    let large = run.raise_event("Number", &"x".repeat(2000)).await.unwrap_err();
    assert!(large.to_string().starts_with("the event has 2002 bytes, and a value may have 1024"));
    run.raise_event("Number", &1).await?;
    run.result().await?;
    assert!(!run.raise_event_if_running("Number", &2).await?);
    assert!(!hub.instance("nobody")?.raise_event_if_running("Number", &2).await?);
    let late = run.raise_event("Number", &2).await;
    assert!(matches!(late, Err(ManageError::Finished { .. })), "{late:?}");
    Ok(())
}

#[orchestrator]
async fn tells_an_entity(ctx: &OrchestrationContext) -> Result<String> {
    let refused = ctx.send_event("@counter@a", "add", &1).unwrap_err();
    Ok(refused.to_string())
}

#[tokio::test]
async fn an_event_cannot_be_sent_to_the_id_of_an_entity() -> Result<()> {
    let hub = TestHub::open().await?;
    let refused = hub.start(tells_an_entity()).await?.result().await?;
    assert!(refused.contains("it begins with `@`, which is reserved for entities"), "{refused}");
    Ok(())
}

#[orchestrator]
async fn any_of_three(ctx: &OrchestrationContext) -> Result<String> {
    let wait = |name: &str| ctx.wait_for_external_event::<u32>(name);
    Ok(match durable::race((wait("a"), wait("b"), wait("c"))).await {
        Race3::First(n) => format!("a{}", n?),
        Race3::Second(n) => format!("b{}", n?),
        Race3::Third(n) => format!("c{}", n?),
    })
}

#[orchestrator]
async fn all_of_three(ctx: &OrchestrationContext) -> Result<(u32, String, bool)> {
    let (a, b, c) = durable::try_join((
        ctx.wait_for_external_event::<u32>("a"),
        ctx.wait_for_external_event::<String>("b"),
        ctx.wait_for_external_event::<bool>("c"),
    ))
    .await?;
    Ok((a, b, c))
}

#[orchestrator]
async fn has_a_default(ctx: &OrchestrationContext) -> Result<u32> {
    let number = ctx.wait_for_external_event::<u32>("n");
    Ok(durable::timeout(HOUR, number).await.unwrap_or(Ok(7))?)
}

#[tokio::test]
async fn events_are_awaited_in_a_race_a_join_and_with_a_timeout() -> Result<()> {
    let hub = TestHub::open().await?;
    let any = hub.start(any_of_three()).await?;
    any.raise_event("b", &2).await?;
    assert_eq!(any.result().await?, "b2");
    let all = hub.start(all_of_three()).await?;
    all.raise_event("c", &true).await?;
    all.raise_event("a", &1).await?;
    all.raise_event("b", &"two").await?;
    assert_eq!(all.result().await?, (1, "two".into(), true));
    assert_eq!(hub.start(has_a_default()).await?.result().await?, 7);
    Ok(())
}

#[orchestrator]
async fn order_approval(ctx: &OrchestrationContext) -> Result<(Approval, String)> {
    let approval = ctx.wait_for_event::<Approval>().await?;
    Ok((approval, ctx.wait_for_external_event("Note").await?))
}

#[tokio::test]
async fn an_event_encoded_twice_is_decoded_twice_only_where_its_type_needs_it() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(order_approval()).await?;
    let encoded = serde_json::to_string(&Approval { by: "Ada".to_owned() })?;
    run.raise_event("Approval", &encoded).await?;
    run.raise_event("Note", &"\"on paper\"").await?;
    let (approval, note) = run.result().await?;
    assert_eq!((&*approval.by, &*note), ("Ada", "\"on paper\""));
    hub.shutdown().await?;
    Ok(())
}
