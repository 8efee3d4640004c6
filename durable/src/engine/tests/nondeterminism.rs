//! Code that does not match its history, and code that awaits foreign futures.

use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use expect_test::expect;

use super::{at, check, event, history, replayed, without_lines};
use crate::definition::Definition;
use crate::engine::Outcome;
use crate::{OrchestrationContext, Result, activity, orchestrator};

#[activity(crate = crate)]
async fn reserve(n: u32) -> Result<u32> {
    Ok(n)
}

#[activity(crate = crate)]
async fn charge(n: u32) -> Result<u32> {
    Ok(n)
}

#[orchestrator(crate = crate, name = "shop")]
async fn changed(ctx: &OrchestrationContext) -> Result<u32> {
    charge(1).await?;
    Ok(reserve(2).await?)
}

fn report_of(past: &[crate::protocol::HistoryEvent]) -> String {
    without_lines(&replayed::<changed>(past).err().expect("it does not fit").reason)
}

#[test]
fn an_activity_other_than_the_recorded_one_suspends_with_both_locations() {
    let report = report_of(&history![
        OrchestratorStarted;
        ExecutionStarted("shop", "null");
        TaskScheduled(0, "reserve");
    ]);
    expect![[r#"
        DURABLE0101: orchestration `shop` (instance `order-17`) no longer does what its history recorded
          event 3 recorded     activity `reserve`, requested at src/shop.rs:17
          this replay          requests activity `charge`
          requested at         durable/src/engine/tests/nondeterminism.rs:N
        the orchestrator was changed while this instance was running, or its code is not deterministic
        the instance is suspended and keeps its history; it resumes when the code fits again"#]]
    .assert_eq(&report);
}

#[test]
fn the_report_says_whether_the_code_was_changed() {
    let past = |hash| {
        history![
            ExecutionStartedByCode("shop", "null", hash);
            TaskScheduled(0, "reserve");
        ]
    };
    let same = report_of(&past(changed::ENTRY.code_hash));
    assert!(
        same.contains("source is the same as when the instance was started, so a `cfg`"),
        "{same}"
    );
    let other = report_of(&past(1));
    assert!(other.contains("code was changed while this instance was running"), "{other}");
}

#[test]
fn waiting_instead_of_a_recorded_request_suspends() {
    check::<changed>(
        history![
            ExecutionStarted("shop", "null");
            TaskScheduled(0, "charge");
            TaskScheduled(1, "reserve");
        ],
        history![],
        expect![[r#"
            DURABLE0101: orchestration `shop` (instance `order-17`) no longer does what its history recorded
              event 3 recorded     activity `reserve`, requested at src/shop.rs:17
              this replay          requests nothing more and waits
            the orchestrator was changed while this instance was running, or its code is not deterministic
            the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}

#[test]
fn a_step_added_before_the_recorded_end_is_reported_with_its_location() {
    let report = report_of(&history![
        ExecutionStarted("shop", "null");
        TaskScheduled(0, "charge");
        TaskCompleted(0, "1");
        ExecutionCompleted(crate::RuntimeStatus::Completed);
    ]);
    expect![[r#"
        DURABLE0101: orchestration `shop` (instance `order-17`) no longer does what its history recorded
          event 4 recorded     its end, as Completed
          this replay          requests activity `reserve`
          requested at         durable/src/engine/tests/nondeterminism.rs:N
        the orchestrator was changed while this instance was running, or its code is not deterministic
        the instance is suspended and keeps its history; it resumes when the code fits again"#]]
    .assert_eq(&report);
}

#[orchestrator(crate = crate)]
async fn hasty(ctx: &OrchestrationContext, fail: bool) -> Result<u32> {
    charge(1).await?;
    assert!(!fail, "not today");
    Ok(1)
}

#[test]
fn returning_instead_of_a_recorded_request_suspends() {
    check::<hasty>(
        history![
            ExecutionStarted("hasty", "false");
            TaskScheduled(0, "charge");
            TaskCompleted(0, "1");
            TaskScheduled(1, "charge");
        ],
        history![],
        expect![[r#"
            DURABLE0101: orchestration `hasty` (instance `order-17`) no longer does what its history recorded
              event 4 recorded     activity `charge`, requested at src/shop.rs:17
              this replay          has returned
            the orchestrator was changed while this instance was running, or its code is not deterministic
            the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}

#[test]
fn a_panic_instead_of_a_recorded_request_suspends_and_does_not_fail() {
    check::<hasty>(
        history![
            ExecutionStarted("hasty", "true");
            TaskScheduled(0, "charge");
            TaskCompleted(0, "1");
            TaskScheduled(1, "charge");
        ],
        history![],
        expect![[r#"
            DURABLE0101: orchestration `hasty` (instance `order-17`) no longer does what its history recorded
              event 4 recorded     activity `charge`, requested at src/shop.rs:17
              this replay          has failed: panicked at durable/src/engine/tests/nondeterminism.rs:N: not today
            the orchestrator was changed while this instance was running, or its code is not deterministic
            the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}

#[test]
fn a_recorded_result_of_another_type_suspends() {
    check::<changed>(
        history![ExecutionStarted("shop", "null"); TaskScheduled(0, "charge");],
        history![TaskCompleted(0, r#""paid""#);],
        expect![[r#"
            DURABLE0101: orchestration `shop` (instance `order-17`) cannot read its history
              the recorded result of activity `charge` cannot be read as `u32`: invalid type: string "paid", expected u32 at line 1 column 6
            the orchestrator was changed while this instance was running, or its code is not deterministic
            the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}

#[test]
fn an_end_that_is_not_reached_again_suspends() {
    check::<changed>(
        history![
            ExecutionStarted("shop", "null");
            ExecutionCompleted(crate::RuntimeStatus::Completed);
        ],
        history![],
        expect![[r#"
            DURABLE0101: orchestration `shop` (instance `order-17`) no longer does what its history recorded
              event 2 recorded     its end, as Completed
              this replay          requests activity `charge`
              requested at         durable/src/engine/tests/nondeterminism.rs:N
            the orchestrator was changed while this instance was running, or its code is not deterministic
            the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}

/// Hides a future from the attribute, which would reject it.
fn slip<F: Future>(future: F) -> crate::__private_0_1::DurableBlock<F> {
    crate::__private_0_1::durable_block(future)
}

async fn async_sleep() {
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
}

/// A future that clones the waker, as every foreign future does.
async fn foreign() {
    let kept: Arc<Mutex<Option<Waker>>> = Arc::default();
    std::future::poll_fn(|cx| {
        *kept.lock().unwrap() = Some(cx.waker().clone());
        Poll::<()>::Pending
    })
    .await;
}

#[orchestrator(crate = crate)]
async fn sleeper(ctx: &OrchestrationContext) -> Result<u32> {
    let n = charge(1).await?;
    slip(foreign()).await;
    Ok(n)
}

#[test]
fn a_foreign_future_is_detected_in_the_same_poll() {
    let past = history![ExecutionStarted("sleeper", "null"); TaskScheduled(0, "charge");];
    let mut execution = replayed::<sleeper>(&past).unwrap();
    let new = vec![event::TaskCompleted(0, "1").1];
    let episode = execution.run(at(9), new).unwrap();
    let Outcome::Suspended(suspension) = &episode.outcome else { panic!("{episode:?}") };
    assert_eq!(suspension.code.as_deref(), Some("DURABLE0102"));
    let kinds: Vec<_> = episode.events.iter().map(|event| event.kind.type_name()).collect();
    let kept =
        ["OrchestratorStarted", "TaskCompleted", "ExecutionSuspended", "OrchestratorCompleted"];
    assert_eq!(kinds, kept, "what came in is kept, and nothing else happened");
}

#[orchestrator(crate = crate)]
async fn tokio_sleeper(ctx: &OrchestrationContext) {
    slip(async_sleep()).await;
}

#[test]
fn a_future_of_the_runtime_is_named_by_its_line() {
    let mut execution = replayed::<tokio_sleeper>(&[]).unwrap();
    crate::panics::note_places();
    let episode = execution.run(at(0), vec![event::ExecutionStarted("tokio_sleeper", "null").1]);
    let Some(Outcome::Suspended(suspension)) = episode.map(|episode| episode.outcome) else {
        panic!("it is not durable")
    };
    assert_eq!(suspension.code.as_deref(), Some("DURABLE0102"));
    assert!(suspension.reason.contains("engine/tests/nondeterminism.rs:"), "{suspension}");
}

#[orchestrator(crate = crate)]
async fn stuck(ctx: &OrchestrationContext) {
    slip(std::future::pending::<()>()).await;
}

#[test]
fn waiting_without_an_open_task_is_detected() {
    check::<stuck>(
        history![],
        history![ExecutionStarted("stuck", "null");],
        expect![[r#"
            DURABLE0102: orchestration `stuck` (instance `order-17`) awaited something that is not durable
              it waits, but for no task: nothing could ever wake it
            its result would not be recorded, so a replay would go another way, or hang; wait with `ctx.create_timer(..)` or `ctx.wait_for_external_event(..)`, and do I/O in an `#[activity]`
            the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}

#[test]
fn a_run_after_a_suspension_repeats_it_and_records_arrivals() {
    let mut execution = replayed::<stuck>(&[]).unwrap();
    let first = execution.run(at(0), vec![event::ExecutionStarted("stuck", "null").1]).unwrap();
    let Outcome::Suspended(suspension) = &first.outcome else { panic!("{first:?}") };
    assert_eq!(suspension.code.as_deref(), Some("DURABLE0102"));
    let again = execution.run(at(1), vec![event::EventRaised("go", "1").1]).unwrap();
    assert_eq!(again.outcome, first.outcome);
    let kinds: Vec<_> = again.events.iter().map(|event| event.kind.type_name()).collect();
    assert_eq!(kinds, ["OrchestratorStarted", "EventRaised", "OrchestratorCompleted"]);
}
