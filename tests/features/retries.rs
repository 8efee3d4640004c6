//! Retries and timeouts of calls: by the runtime, one event for each failed attempt.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use durable::prelude::*;
use durable::protocol::{EventKind, FailureDetails, HistoryEvent};
use durable::testing::TestHub;

use super::context::repeats_number;
use super::failures::{failure_types, parses};
use super::limits::sets_timers;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

/// Fails until the attempt of this number.
#[activity]
async fn works_at(ctx: &ActivityContext, attempt: u32) -> Result<String> {
    if ctx.attempt() < attempt {
        return Err(Error::msg(format!("attempt {} is too early", ctx.attempt())));
    }
    Ok(format!("at attempt {}, by {}", ctx.attempt(), ctx.tags().get("by").map_or("", |by| by)))
}

#[activity]
async fn hopeless() -> Result<()> {
    Err(Error::msg("never").non_retriable())
}

#[activity(retry(max_number_of_attempts = 3, first_retry_interval = "2s"))]
async fn declared(ctx: &ActivityContext) -> Result<u32> {
    if ctx.attempt() == 3 { Ok(3) } else { Err(Error::msg("not yet")) }
}

#[orchestrator]
async fn tries(ctx: &OrchestrationContext, attempt: u32) -> Result<String> {
    let policy = RetryPolicy::new(4, SECOND).backoff_coefficient(2.0);
    Ok(works_at(attempt).retry(policy).tag("by", "us").await?)
}

#[orchestrator]
async fn tries_in_vain(ctx: &OrchestrationContext) -> Result<()> {
    Ok(hopeless().retry(RetryPolicy::new(10, SECOND)).await?)
}

#[orchestrator]
async fn as_declared(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(declared().await?)
}

#[orchestrator]
async fn decides(ctx: &OrchestrationContext) -> Result<String> {
    let policy = RetryPolicy::new(100, SECOND).handle(|context| context.last_attempt_number() < 3);
    Ok(works_at(100).retry(policy).await?)
}

#[orchestrator]
async fn badly_told(ctx: &OrchestrationContext) -> Result<String> {
    let failed = works_at(1).retry(RetryPolicy::new(0, SECOND)).await.unwrap_err();
    Ok(format!("{failed}; then {}", works_at(1).await?))
}

#[orchestrator]
async fn limited(ctx: &OrchestrationContext) -> Result<String> {
    Ok(works_at(100).retry(RetryPolicy::new(100, SECOND)).timeout(10 * SECOND).await?)
}

/// Fails twice, based on state outside the orchestrator, which a real orchestrator must not read.
#[durable::allow(DURABLE0023, reason = "a child that fails twice")]
#[orchestrator]
async fn flaky(ctx: &OrchestrationContext) -> Result<u32> {
    let runs = RUNS.fetch_add(1, Ordering::SeqCst) + 1;
    if runs < 3 { Err(Error::msg("flaky")) } else { Ok(runs) }
}

/// How often `flaky` was run.
static RUNS: AtomicU32 = AtomicU32::new(0);

#[orchestrator]
async fn patient_parent(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(flaky().instance_id("flaky").retry(RetryPolicy::new(3, SECOND)).await?)
}

fn failed_attempts(history: &[HistoryEvent]) -> Vec<(u32, i64)> {
    let began = history[0].timestamp.to_datetime();
    let attempt = |event: &HistoryEvent| match &event.kind {
        EventKind::TaskAttemptFailed { attempt, retry_at, .. } => {
            Some((*attempt, (retry_at.to_datetime() - began).num_seconds()))
        }
        _ => None,
    };
    history.iter().filter_map(attempt).collect()
}

#[tokio::test]
async fn a_failed_attempt_is_one_event_and_the_retry_begins_at_its_time() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(tries(4)).await?;
    assert_eq!(run.result().await?, "at attempt 4, by us");
    // After 1, 2 and 4 seconds.
    assert_eq!(failed_attempts(&run.history().await?), [(1, 1), (2, 3), (3, 7)]);
    Ok(())
}

#[tokio::test]
async fn the_failure_of_the_last_attempt_fails_the_call() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(tries(5)).await?;
    let failed = run.result().await.unwrap_err().to_string();
    assert!(failed.ends_with("activity `works_at` failed: attempt 4 is too early"), "{failed}");
    assert_eq!(failed_attempts(&run.history().await?).len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_non_retriable_failure_is_not_retried() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(tries_in_vain()).await?;
    run.result().await.unwrap_err();
    assert_eq!(failed_attempts(&run.history().await?), []);
    Ok(())
}

#[tokio::test]
async fn an_attribute_declares_the_defaults_of_a_call() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(as_declared()).await?;
    assert_eq!(run.result().await?, 3);
    assert_eq!(failed_attempts(&run.history().await?), [(1, 2), (2, 4)]);
    Ok(())
}

#[tokio::test]
async fn a_retry_handler_decides_after_each_failure() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(decides()).await?;
    run.result().await.unwrap_err();
    assert_eq!(failed_attempts(&run.history().await?).len(), 2);
    Ok(())
}

#[tokio::test]
async fn an_invalid_retry_policy_fails_the_call() -> Result<()> {
    let hub = TestHub::open().await?;
    let told = hub.start(badly_told()).await?.result().await?;
    assert!(told.contains("max_number_of_attempts"), "{told}");
    assert!(told.ends_with("then at attempt 1, by "), "{told}");
    Ok(())
}

#[tokio::test]
async fn a_timeout_of_the_call_counts_over_all_attempts() -> Result<()> {
    let hub = TestHub::open().await?;
    let began = hub.now();
    let Err(durable::client::ResultError::Failed(failed)) =
        hub.start(limited()).await?.result().await
    else {
        panic!("it fails")
    };
    let types: Vec<_> = failed.details().chain().map(|it| it.error_type.as_str()).collect();
    assert!(types.contains(&FailureDetails::TIMEOUT), "{types:?}");
    assert_eq!(hub.now(), began + 10 * SECOND);
    Ok(())
}

#[tokio::test]
async fn a_child_is_retried_under_its_id() -> Result<()> {
    let hub = TestHub::builder().configure(|hub| hub.verify_replay(false)).open().await?;
    let run = hub.start(patient_parent()).await?;
    assert_eq!(run.result().await?, 3);
    assert_eq!(failed_attempts(&run.history().await?), [(1, 1), (2, 2)]);
    assert_eq!(hub.find_instance::<flaky>("flaky").await?.unwrap().result().await?, 3);
    Ok(())
}

#[orchestrator]
async fn calls_the_missing(ctx: &OrchestrationContext, is_child: bool) -> Result<()> {
    let patient = RetryPolicy::new(10, SECOND);
    if is_child {
        sets_timers(1).retry(patient).await?;
    } else {
        repeats_number(1).retry(patient).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_call_of_an_unregistered_function_fails_without_a_retry() -> Result<()> {
    let only = |hub: durable::client::TaskHubBuilder| {
        hub.only_registered().register::<calls_the_missing>()
    };
    let hub = TestHub::builder().configure(only).open().await?;
    for is_child in [false, true] {
        let run = hub.start(calls_the_missing(is_child)).await?;
        let types = failure_types(&run).await?;
        assert!(types.iter().any(|it| it == FailureDetails::NOT_REGISTERED), "{types:?}");
        let history = run.history().await?;
        let is_attempt = |event: &HistoryEvent| event.kind.type_name() == "TaskAttemptFailed";
        assert!(!history.iter().any(is_attempt), "{history:?}");
    }
    Ok(())
}

#[orchestrator]
pub(super) async fn waits_longer_each_time(ctx: &OrchestrationContext) -> Result<u32> {
    let mut attempt = 1;
    loop {
        match parses(if attempt < 4 { "x" } else { "5" }).await {
            Ok(number) => return Ok(number),
            Err(failed) if failed.details().non_retriable => return Err(failed.into()),
            Err(_) => ctx.create_timer(attempt * HOUR).await,
        }
        attempt += 1;
    }
}

#[tokio::test]
async fn a_retry_loop_of_the_orchestrator_may_await_timers() -> Result<()> {
    let hub = TestHub::open().await?;
    let began = hub.now();
    assert_eq!(hub.start(waits_longer_each_time()).await?.result().await?, 5);
    assert_eq!(hub.now(), began + 6 * HOUR);
    Ok(())
}
