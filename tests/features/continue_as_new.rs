//! Continue-as-new: what the next execution inherits, what is cancelled, and that no event is lost.

use std::time::Duration;

use durable::RuntimeStatus;
use durable::prelude::*;
use durable::protocol::{EventKind, HistoryEvent};
use durable::task::Race2;
use durable::testing::TestHub;

#[activity]
async fn step(n: u64) -> u64 {
    n + 1
}

#[orchestrator]
async fn count_to(ctx: &OrchestrationContext, n: u64, end: u64) -> Result<u64> {
    if n == end {
        return Ok(ctx.generation());
    }
    let n = step(n).await?;
    ctx.continue_as_new(count_to(n, end)).await
}

#[orchestrator]
async fn at_once(ctx: &OrchestrationContext, n: u64) -> Result<u64> {
    if n == 0 {
        return Ok(ctx.generation());
    }
    ctx.continue_as_new(at_once(n - 1)).await
}

#[orchestrator]
async fn for_ever(ctx: &OrchestrationContext) {
    ctx.continue_as_new(for_ever()).await;
}

/// Adds up one number in each execution.
#[orchestrator]
async fn adds(ctx: &OrchestrationContext, sum: u64, left: u32) -> Result<u64> {
    if left == 0 {
        return Ok(sum);
    }
    ctx.set_custom_status(&left)?;
    let number = ctx.wait_for_external_event::<u64>("number").await?;
    ctx.continue_as_new(adds(sum + number, left - 1)).await
}

#[orchestrator]
async fn calls_adds(ctx: &OrchestrationContext) -> Result<u64> {
    Ok(adds(0, 2).instance_id("adder").tag("kind", "adder").await?)
}

#[orchestrator]
async fn leaves_a_timer(ctx: &OrchestrationContext, round: u32) -> Result<u32> {
    if round == 3 {
        ctx.wait_for_external_event::<()>("end").await?;
        return Ok(round);
    }
    let mut long = ctx.create_timer(Duration::from_hours(24));
    let short = ctx.create_timer(Duration::from_secs(1));
    // The long timer is still running when the instance continues as new.
    let first = durable::race((&mut long, short)).await;
    assert!(matches!(first, Race2::Second(())));
    ctx.continue_as_new(leaves_a_timer(round + 1)).await
}

#[orchestrator]
async fn other(ctx: &OrchestrationContext, n: u64) -> Result<u64> {
    ctx.continue_as_new(at_once(n)).await
}

#[tokio::test]
async fn continue_as_new_begins_with_an_empty_history() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(count_to(0, 100)).await?;
    assert_eq!(run.result().await?, 100);
    assert_eq!(run.history().await?.len(), 4, "{:#?}", run.history().await?);
    Ok(())
}

#[tokio::test]
async fn continue_as_new_without_a_wait_ends_or_can_be_terminated() -> Result<()> {
    let hub = TestHub::open().await?;
    assert_eq!(hub.start(at_once(1000)).await?.result().await?, 1000);
    let endless = hub.start(for_ever()).await?;
    endless.terminate("enough").await?;
    assert_eq!(endless.status().await?.runtime_status, RuntimeStatus::Terminated);
    Ok(())
}

#[tokio::test]
async fn continue_as_new_loses_no_event() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(adds(0, 300)).await?;
    for number in 0..300_u64 {
        run.raise_event("number", &number).await?;
    }
    assert_eq!(run.result().await?, (0..300).sum::<u64>());
    Ok(())
}

#[tokio::test]
async fn continue_as_new_keeps_parent_tags_and_custom_status() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(calls_adds()).await?;
    hub.settle().await;
    let adder = hub.instance("adder")?;
    adder.raise_event("number", &1).await?;
    hub.settle().await;
    assert_eq!(adder.custom_status::<u32>().await?, Some(1));
    assert_eq!(adder.status().await?.tags["kind"], "adder");
    adder.raise_event("number", &2).await?;
    assert_eq!(run.result().await?, 3, "the parent had its answer");
    assert_eq!(adder.custom_status::<u32>().await?, Some(1), "the last word");
    Ok(())
}

#[tokio::test]
async fn continue_as_new_cancels_a_running_timer() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(leaves_a_timer(0)).await?;
    hub.advance(Duration::from_secs(3)).await;
    assert_eq!(run.status().await?.next_due, None, "the last generation waits for no timer");
    hub.advance(Duration::from_hours(48)).await;
    let is_timer = |event: &HistoryEvent| matches!(event.kind, EventKind::TimerFired { .. });
    assert!(!run.history().await?.iter().any(is_timer), "a timer of an earlier generation fired");
    run.raise_event("end", &()).await?;
    assert_eq!(run.result().await?, 3);
    Ok(())
}

#[tokio::test]
async fn continue_as_new_rejects_a_call_of_another_orchestration() -> Result<()> {
    let hub = TestHub::open().await?;
    let failed = hub.start(other(1)).await?.result().await.unwrap_err();
    assert!(failed.to_string().contains("was given a call of `at_once` in an instance of `other`"));
    Ok(())
}

#[orchestrator]
async fn leaves_a_child(ctx: &OrchestrationContext, round: u32) -> Result<u32> {
    if round == 1 {
        return Ok(round);
    }
    let child = adds(0, 1).instance_id("left-behind").spawn();
    ctx.create_timer(Duration::from_secs(1)).await;
    drop(child);
    ctx.continue_as_new(leaves_a_child(round + 1)).await
}

#[tokio::test]
async fn continue_as_new_terminates_a_running_child() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(leaves_a_child(0)).await?;
    assert_eq!(run.result().await?, 1);
    hub.settle().await;
    let child = hub.instance("left-behind")?.status().await?;
    assert_eq!(child.runtime_status, RuntimeStatus::Terminated);
    Ok(())
}

#[orchestrator]
async fn forgets(ctx: &OrchestrationContext, round: u32) -> Result<u64> {
    if round == 0 {
        ctx.wait_for_external_event::<u64>("go").await?;
        return ctx.continue_as_new(forgets(1)).discard_events().await;
    }
    Ok(ctx.wait_for_external_event("number").await?)
}

#[tokio::test]
async fn continue_as_new_may_discard_unread_events() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(forgets(0)).await?;
    run.raise_event("number", &1).await?;
    run.raise_event("go", &0).await?;
    run.raise_event("number", &2).await?;
    assert_eq!(run.result().await?, 2);
    Ok(())
}

#[orchestrator]
async fn collects_guids(ctx: &OrchestrationContext, mut guids: Vec<String>) -> Result<Vec<String>> {
    guids.push(ctx.new_guid().to_string());
    if guids.len() == 3 {
        return Ok(guids);
    }
    ctx.continue_as_new(collects_guids(guids)).await
}

#[tokio::test]
async fn generations_that_begin_at_the_same_time_have_different_guids() -> Result<()> {
    let hub = TestHub::open().await?;
    let guids = hub.start(collects_guids(Vec::new())).await?.result().await?;
    assert!(guids[0] != guids[1] && guids[1] != guids[2], "{guids:?}");
    Ok(())
}

#[tokio::test]
async fn an_instance_between_two_generations_is_running() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(for_ever()).await?;
    hub.settle().await;
    let record = run.status().await?;
    assert!(record.generation >= 64, "{record:?}");
    assert_eq!(record.runtime_status, RuntimeStatus::Running);
    let pending = durable::client::InstanceQuery::new().status(RuntimeStatus::Pending);
    assert_eq!(hub.count(&pending).await?, 0);
    run.wait_for_start().await?;
    run.terminate("enough").await?;
    Ok(())
}

#[tokio::test]
async fn wait_for_start_ends_even_if_the_first_generation_ends_immediately() -> Result<()> {
    let hub = TestHub::open().await?;
    let hour = Duration::from_hours(1);
    let run = hub.start(at_once(3).start_at(hour)).await?;
    let (started, ()) = tokio::join!(run.wait_for_start(), hub.advance(hour));
    started?;
    assert_eq!(run.result().await?, 3);
    Ok(())
}

/// Reads one number in each execution. The last execution reads the events that were not read
/// before.
#[orchestrator]
async fn reads_a_backlog(ctx: &OrchestrationContext, next: u64, end: u64) -> Result<Vec<u64>> {
    if next == 0 {
        ctx.create_timer(Duration::from_hours(1)).await;
    }
    if next < end {
        let number = ctx.wait_for_external_event::<u64>("number").await?;
        assert_eq!(number, next);
        return ctx.continue_as_new(reads_a_backlog(next + 1, end)).await;
    }
    let mut passed_over = Vec::new();
    while passed_over.last() != Some(&end) {
        passed_over.push(ctx.wait_for_external_event("passed over").await?);
    }
    Ok(passed_over)
}

/// Reads a backlog, and calls `between` on the hub between any two executions.
async fn check_backlog(
    hub: TestHub,
    between: impl AsyncFn(TestHub) -> Result<TestHub>,
) -> Result<()> {
    const END: u64 = 1000;
    let mut hub = hub;
    let run = hub.start(reads_a_backlog(0, END).instance_id("reader")).await?;
    for number in 0..END {
        run.raise_event("number", &number).await?;
        if number % 50 == 0 {
            run.raise_event("passed over", &number).await?;
        }
    }
    run.raise_event("passed over", &END).await?;
    hub.advance(Duration::from_hours(1)).await;
    let mut turns = 0;
    while hub.instance("reader")?.status().await?.runtime_status == RuntimeStatus::Running {
        turns += 1;
        hub = between(hub).await?;
        hub.advance(Duration::from_micros(1)).await;
    }
    assert!(turns > 3, "it was read in {turns} turns");
    let run = hub.find_instance::<reads_a_backlog>("reader").await?.expect("it was started");
    let expected: Vec<u64> = (0..=END).step_by(50).collect();
    assert_eq!(run.result().await?, expected);
    let raised = |event: &&HistoryEvent| matches!(event.kind, EventKind::EventRaised { .. });
    let history = run.history().await?;
    assert_eq!(history.iter().filter(raised).count(), expected.len(), "nothing else was left");
    Ok(())
}

#[tokio::test]
async fn a_backlog_of_events_is_read_in_order_across_continue_as_new() -> Result<()> {
    check_backlog(TestHub::open().await?, async |hub| Ok(hub)).await
}

#[tokio::test]
async fn a_backlog_survives_crashes_between_its_executions() -> Result<()> {
    check_backlog(TestHub::open().await?, async |hub| Ok(hub.crash().await?)).await
}

#[tokio::test]
async fn a_backlog_survives_evictions_between_its_executions() -> Result<()> {
    let evicting = TestHub::builder().configure(|hub| hub.live_instances(0)).open().await?;
    check_backlog(evicting, async |hub| Ok(hub.reopen().await?)).await
}

#[orchestrator(name = "eternal", version = "1")]
async fn eternal(ctx: &OrchestrationContext) -> Result<String> {
    let execution = ctx.execution_id().to_string();
    ctx.continue_as_new(newer_eternal(execution)).await
}

#[orchestrator(name = "eternal", version = "2")]
async fn newer_eternal(ctx: &OrchestrationContext, before: String) -> Result<String> {
    let is_other = before != ctx.execution_id().to_string();
    let version = ctx.version().unwrap_or("");
    Err(Error::msg(format!("version {version}, {}, {is_other}", ctx.generation())))
}

#[tokio::test]
async fn continue_as_new_may_call_another_version_and_an_error_ends_the_instance() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(eternal()).await?;
    let failed = run.result().await.unwrap_err().to_string();
    assert!(failed.ends_with("failed: version 2, 1, true"), "{failed}");
    let status = run.status().await?;
    assert_eq!(status.runtime_status, RuntimeStatus::Failed);
    assert_eq!(status.version.as_deref(), Some("2"));
    Ok(())
}
