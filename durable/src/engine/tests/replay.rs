//! Replay and the step beyond it: results, failures, panics, drops, the clock.

use expect_test::expect;

use super::{at, check, describe, history, replayed};
use crate::engine::{Execution, Outcome};
use crate::protocol::{EventKind, HistoryEvent};
use crate::{Error, OrchestrationContext, Result, activity, orchestrator};

#[activity(crate = crate)]
async fn reserve(item: &str) -> Result<u32> {
    Ok(u32::try_from(item.len())?)
}

#[activity(crate = crate)]
async fn charge(cents: u32, tip: u32) -> Result<String> {
    Ok(format!("{cents}+{tip}"))
}

#[orchestrator(crate = crate)]
async fn checkout(ctx: &OrchestrationContext, item: String) -> Result<String> {
    let cents = reserve(&item).await?;
    Ok(charge(cents, 1).await?)
}

#[test]
fn a_new_instance_schedules_its_first_activity() {
    check::<checkout>(
        history![],
        history![ExecutionStarted("checkout", r#""book""#);],
        expect![[r#"
            schedule 0 reserve("book")
            waiting"#]],
    );
}

#[test]
fn a_recorded_activity_is_not_scheduled_again() {
    check::<checkout>(
        history![
            OrchestratorStarted;
            ExecutionStarted("checkout", r#""book""#);
            TaskScheduled(0, "reserve");
            OrchestratorCompleted;
        ],
        history![],
        expect!["nothing happens"],
    );
}

#[test]
fn a_result_schedules_the_next_activity() {
    check::<checkout>(
        history![
            OrchestratorStarted;
            ExecutionStarted("checkout", r#""book""#);
            TaskScheduled(0, "reserve");
            OrchestratorCompleted;
        ],
        history![TaskCompleted(0, "4");],
        expect![[r#"
            schedule 1 charge([4,1])
            waiting"#]],
    );
}

#[test]
fn the_last_result_ends_the_orchestration() {
    check::<checkout>(
        history![
            OrchestratorStarted;
            ExecutionStarted("checkout", r#""book""#);
            TaskScheduled(0, "reserve");
            OrchestratorCompleted;
            OrchestratorStarted;
            TaskCompleted(0, "4");
            TaskScheduled(1, "charge");
            OrchestratorCompleted;
        ],
        history![TaskCompleted(1, r#""paid""#);],
        expect![[r#"completed "paid""#]],
    );
}

#[test]
fn an_unhandled_activity_failure_fails_the_instance() {
    check::<checkout>(
        history![
            ExecutionStarted("checkout", r#""book""#);
            TaskScheduled(0, "reserve");
        ],
        history![TaskFailed(0, "sold out");],
        expect!["failed activity `reserve` failed: sold out"],
    );
}

#[test]
fn a_result_of_an_unknown_task_is_ignored() {
    check::<checkout>(
        history![
            ExecutionStarted("checkout", r#""book""#);
            TaskScheduled(0, "reserve");
        ],
        history![TaskCompleted(7, "4"); TaskFailed(1, "no");],
        expect!["nothing happens"],
    );
}

#[test]
fn a_second_result_of_one_activity_is_ignored() {
    check::<checkout>(
        history![
            ExecutionStarted("checkout", r#""book""#);
            TaskScheduled(0, "reserve");
        ],
        history![TaskCompleted(0, "4"); TaskCompleted(0, "5");],
        expect![[r#"
            schedule 1 charge([4,1])
            waiting"#]],
    );
}

#[test]
fn an_input_of_another_type_fails_a_new_instance() {
    check::<checkout>(
        history![],
        history![ExecutionStarted("checkout", "5");],
        expect![
            "failed parameter `item` cannot be read: invalid type: integer `5`, expected a string at line 1 column 1"
        ],
    );
}

#[orchestrator(crate = crate)]
async fn panicking(ctx: &OrchestrationContext, divisor: u32) -> u32 {
    1 / divisor
}

#[test]
fn a_panic_fails_the_instance() {
    check::<panicking>(
        history![],
        history![ExecutionStarted("panicking", "0");],
        expect![
            "failed panicked at durable/src/engine/tests/replay.rs:N: attempt to divide by zero"
        ],
    );
}

/// Panics when it is read, and when it is dropped.
#[derive(serde::Serialize)]
struct Explosive;

impl<'de> serde::Deserialize<'de> for Explosive {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let lit = bool::deserialize(deserializer)?;
        assert!(!lit, "it was lit");
        Ok(Self)
    }
}

impl Drop for Explosive {
    fn drop(&mut self) {
        panic!("it was dropped");
    }
}

#[orchestrator(crate = crate)]
async fn handles(ctx: &OrchestrationContext, explosive: Explosive) -> Result<u32> {
    let n = reserve("x").await?;
    std::mem::forget(explosive);
    Ok(n)
}

#[test]
fn a_panic_while_the_input_is_read_fails_the_instance() {
    check::<handles>(
        history![],
        history![ExecutionStarted("handles", "true");],
        expect!["failed panicked at durable/src/engine/tests/replay.rs:N: it was lit"],
    );
}

#[test]
fn a_panic_in_a_destructor_does_not_escape_the_execution() {
    let past = history![ExecutionStarted("handles", "false"); TaskScheduled(0, "reserve");];
    drop(replayed::<handles>(&past).unwrap());
}

#[orchestrator(crate = crate)]
async fn dropping(ctx: &OrchestrationContext) -> Result<u32> {
    let slow = reserve("slow").spawn();
    let never = reserve("never"); // a call that is not spawned has no effect
    let quick = reserve("quick").await?;
    drop((slow, never));
    Ok(quick + reserve("last").await?)
}

#[test]
fn a_dropped_task_is_cancelled() {
    check::<dropping>(
        history![
            ExecutionStarted("dropping", "null");
            TaskScheduled(0, "reserve");
            TaskScheduled(1, "reserve");
        ],
        history![TaskCompleted(1, "5");],
        expect![[r#"
            cancel 0
            schedule 2 reserve("last")
            waiting"#]],
    );
}

#[test]
fn a_cancelled_task_is_not_open_after_a_replay() {
    let past = history![
        ExecutionStarted("dropping", "null");
        TaskScheduled(0, "reserve");
        TaskScheduled(1, "reserve");
        TaskCompleted(1, "5");
        TaskScheduled(2, "reserve");
    ];
    let execution = replayed::<dropping>(&past).unwrap();
    let open: Vec<_> = execution.running_tasks().iter().map(|task| task.event_id).collect();
    assert_eq!(open, [2]);
}

#[orchestrator(crate = crate)]
async fn unawaited(ctx: &OrchestrationContext) -> u32 {
    let _task = reserve("later").spawn();
    7
}

#[test]
fn a_call_that_is_never_awaited_is_never_scheduled() {
    check::<unawaited>(
        history![],
        history![ExecutionStarted("unawaited", "null");],
        expect!["completed 7"],
    );
}

#[orchestrator(crate = crate)]
async fn timekeeper(ctx: &OrchestrationContext) -> Result<Vec<String>> {
    let mut times = vec![ctx.current_utc_datetime().to_rfc3339()];
    reserve("x").await?;
    times.push(ctx.current_utc_datetime().to_rfc3339());
    times.push(ctx.current_utc_datetime().to_rfc3339());
    Ok(times)
}

#[test]
fn now_is_the_time_of_the_recorded_episode() {
    check::<timekeeper>(
        history![
            OrchestratorStarted;
            ExecutionStarted("timekeeper", "null");
            TaskScheduled(0, "reserve");
            OrchestratorCompleted;
        ],
        history![TaskCompleted(0, "4");],
        expect![[
            r#"completed ["2026-01-04T00:00:00+00:00","2026-01-04T00:00:04+00:00","2026-01-04T00:00:04+00:00"]"#
        ]],
    );
}

#[orchestrator(crate = crate)]
async fn typed_errors(ctx: &OrchestrationContext) -> Result<String> {
    match reserve("x").await {
        Ok(_) => Ok("reserved".to_owned()),
        Err(failed) => {
            let error: Error = failed.into_error().ok_or_else(|| Error::msg("no error"))?;
            Ok(format!("compensated: {error}"))
        }
    }
}

#[test]
fn a_failure_can_be_handled() {
    check::<typed_errors>(
        history![ExecutionStarted("typed_errors", "null"); TaskScheduled(0, "reserve");],
        history![TaskFailed(0, "sold out");],
        expect![[r#"completed "compensated: sold out""#]],
    );
}

#[test]
fn live_and_replayed_agree_at_every_cut() {
    let script = [
        history![ExecutionStarted("dropping", "null");],
        history![TaskCompleted(1, "5");],
        history![TaskCompleted(0, "9");],
        history![TaskCompleted(2, "4");],
    ];
    let mut live: Execution = replayed::<dropping>(&[]).unwrap();
    let mut past: Vec<HistoryEvent> = Vec::new();
    for new in script {
        let kinds: Vec<EventKind> = new.into_iter().map(|event| event.kind).collect();
        let mut replayed = replayed::<dropping>(&past).unwrap();
        let now = at(past.len());
        let from_history = replayed.run(now, kinds.clone());
        let from_memory = live.run(now, kinds);
        assert_eq!(from_history, from_memory);
        past.extend(from_memory.into_iter().flat_map(|episode| episode.events));
    }
    let end = replayed::<dropping>(&past).map(|mut execution| execution.run(at(99), Vec::new()));
    assert_eq!(end.unwrap(), None);
}

#[test]
fn an_event_recorded_while_suspended_is_delivered_after_the_replay() {
    let past = history![
        OrchestratorStarted;
        ExecutionStarted("checkout", r#""book""#);
        TaskScheduled(0, "reserve");
        OrchestratorCompleted;
        OrchestratorStarted;
        TaskCompleted(0, "4");
        OrchestratorCompleted;
    ];
    let mut execution = replayed::<checkout>(&past).unwrap();
    let resumed = EventKind::ExecutionResumed { reason: String::new() };
    let episode = execution.run(at(9), vec![resumed]).unwrap();
    assert_eq!(episode.outcome, Outcome::Waiting);
    expect![[r#"
        schedule 1 charge([4,1])
        waiting"#]]
    .assert_eq(&describe(&episode));
}
