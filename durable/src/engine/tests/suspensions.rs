//! Events that arrive while an instance is suspended are judged and delivered once, on resume.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use expect_test::{Expect, expect};

use super::{at, describe, history, line, replayed};
use crate::engine::{AttemptId, Episode, Outcome, without_failures};
use crate::protocol::{EventKind, FailureDetails, HistoryEvent};
use crate::task::Durable;
use crate::{OrchestrationContext, Result, RetryPolicy, activity, orchestrator};

const THREE: RetryPolicy = RetryPolicy::new(3, Duration::from_secs(10));

const SECOND: Option<AttemptId> = Some(AttemptId { rewinds: 0, number: 2 });

thread_local! {
    static ASKED: Cell<u32> = const { Cell::new(0) };
    static BROKEN: Cell<bool> = const { Cell::new(false) };
}

#[activity(crate = crate)]
async fn charge(n: u32) -> Result<u32> {
    Ok(n)
}

/// A retry handler that counts its calls.
fn counted() -> RetryPolicy {
    THREE.handle(|_| {
        ASKED.set(ASKED.get() + 1);
        true
    })
}

#[orchestrator(crate = crate)]
async fn order(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(charge(5).retry(counted()).await?)
}

#[orchestrator(crate = crate)]
async fn parent(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(order().retry(THREE).await?)
}

fn kinds(events: Vec<HistoryEvent>) -> Vec<EventKind> {
    events.into_iter().map(|event| event.kind).collect()
}

/// A history of `order` that a client has suspended, and the events that have arrived since.
fn suspended(events: Vec<HistoryEvent>) -> Vec<HistoryEvent> {
    let mut past = history![
        OrchestratorStarted; ExecutionStarted("order", "null"); TaskScheduled(0, "charge");
        OrchestratorCompleted; OrchestratorStarted; ExecutionSuspended(); OrchestratorCompleted;
    ];
    for event in events {
        past.extend(history![OrchestratorStarted;]);
        past.push(HistoryEvent { timestamp: at(past.len()), ..event });
        past.extend(history![OrchestratorCompleted;]);
    }
    past
}

/// The effects and events of an episode.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "so that it can be written in place")]
fn check(episode: &Episode, expected: Expect) {
    let recorded = episode.events.iter().filter_map(line).collect::<Vec<_>>().join("\n");
    expected.assert_eq(&format!("{}\n-\n{recorded}", describe(episode)));
}

#[test]
fn a_failure_while_suspended_is_judged_once_and_retried_on_resume() {
    ASKED.set(0);
    // It arrived at the 8th second, so the next attempt begins at the 18th.
    let mut past = suspended(history![TaskFailed(0, "broken");]);
    let mut execution = replayed::<order>(&past).unwrap();
    assert!(execution.running_tasks().is_empty());
    let resumed = execution.run(at(12), kinds(history![ExecutionResumed();])).unwrap();
    check(
        &resumed,
        expect![[r#"
            waiting
            -
            0 attempt 1 failed: broken, again 2026-01-04T00:00:18.000000Z
            ExecutionResumed"#]],
    );
    assert_eq!(execution.next_due(), Some(at(18)));
    past.extend(resumed.events);
    let again = replayed::<order>(&past).unwrap();
    assert_eq!(ASKED.get(), 1);
    assert_eq!((again.attempt(0), again.next_due()), (SECOND, Some(at(18))));
}

#[test]
fn an_overdue_attempt_begins_on_resume() {
    let past = suspended(history![TaskFailed(0, "broken");]);
    let mut execution = replayed::<order>(&past).unwrap();
    let resumed = execution.run(at(60), kinds(history![ExecutionResumed();])).unwrap();
    check(
        &resumed,
        expect![[r#"
            schedule 0 charge(5), attempt 2
            waiting
            -
            0 attempt 1 failed: broken, again 2026-01-04T00:00:18.000000Z
            ExecutionResumed"#]],
    );
}

#[test]
fn a_failure_that_no_policy_retries_fails_the_call() {
    let past = suspended(history![TaskFailedForGood(0, "no such card");]);
    let mut execution = replayed::<order>(&past).unwrap();
    let resumed = execution.run(at(60), kinds(history![ExecutionResumed();])).unwrap();
    check(
        &resumed,
        expect![[r#"
        failed activity `charge` failed: no such card
        -
        ExecutionResumed
        failed activity `charge` failed: no such card"#]],
    );
}

#[test]
fn an_attempt_that_timed_out_while_suspended_is_retried() {
    let mut failed = history![TaskFailed(0, "slow");];
    let failure = FailureDetails::new(FailureDetails::TIMEOUT, "the attempt took too long");
    failed[0].kind = EventKind::task_result(0, Err(failure));
    let mut execution = replayed::<order>(&suspended(failed)).unwrap();
    let resumed = execution.run(at(12), kinds(history![ExecutionResumed();])).unwrap();
    check(
        &resumed,
        expect![[r#"
            waiting
            -
            0 attempt 1 failed: the attempt took too long, again 2026-01-04T00:00:18.000000Z
            ExecutionResumed"#]],
    );
}

#[test]
fn a_duplicate_failure_while_suspended_is_one_attempt() {
    let mut past = suspended(history![TaskFailed(0, "broken"); TaskFailed(0, "broken");]);
    let mut execution = replayed::<order>(&past).unwrap();
    let resumed = execution.run(at(60), kinds(history![ExecutionResumed();])).unwrap();
    assert_eq!(execution.attempt(0), SECOND);
    past.extend(resumed.events);
    assert_eq!(replayed::<order>(&past).unwrap().attempt(0), SECOND);
}

#[test]
fn a_childs_failure_while_suspended_sends_its_next_attempt_on_resume() {
    let mut past = history![
        OrchestratorStarted; ExecutionStarted("parent", "null"); ChildCreated(0, "order", "child");
        OrchestratorCompleted; OrchestratorStarted; ExecutionSuspended(); OrchestratorCompleted;
        OrchestratorStarted; ChildFailed(0, "broken"); OrchestratorCompleted;
    ];
    let mut execution = replayed::<parent>(&past).unwrap();
    let resumed = execution.run(at(12), kinds(history![ExecutionResumed();])).unwrap();
    check(
        &resumed,
        expect![[r#"
        start order (null) as child
        waiting
        -
        0 attempt 1 failed: broken, again 2026-01-04T00:00:18.000000Z
        ExecutionResumed"#]],
    );
    past.extend(resumed.events);
    past.extend(history![OrchestratorStarted; ExecutionSuspended(); OrchestratorCompleted;]);
    assert_eq!(crate::engine::open_children(&past).len(), 1, "its second attempt");
}

/// A client rewinds the child, or another instance takes its id.
#[test]
fn a_childs_second_failure_while_suspended_is_of_the_same_attempt() {
    let mut past = history![
        OrchestratorStarted; ExecutionStarted("parent", "null"); ChildCreated(0, "order", "child");
        OrchestratorCompleted; OrchestratorStarted; ExecutionSuspended(); OrchestratorCompleted;
        OrchestratorStarted; ChildFailed(0, "broken"); OrchestratorCompleted;
        OrchestratorStarted; ChildFailedForGood(0, "replaced"); OrchestratorCompleted;
    ];
    let mut execution = replayed::<parent>(&past).unwrap();
    let resumed = execution.run(at(15), kinds(history![ExecutionResumed();])).unwrap();
    let expected = expect![[r#"
        start order (null) as child
        waiting
        -
        0 attempt 1 failed: broken, again 2026-01-04T00:00:18.000000Z
        ExecutionResumed"#]];
    check(&resumed, expected);
    past.extend(resumed.events);
    let pending = replayed::<parent>(&past).unwrap().open_children().len();
    assert_eq!(pending, 1, "a replay waits for the second attempt, too");
}

#[test]
fn a_child_that_completed_while_suspended_is_not_started_again() {
    let past = history![
        OrchestratorStarted; ExecutionStarted("parent", "null"); ChildCreated(0, "order", "child");
        OrchestratorCompleted; OrchestratorStarted; ExecutionSuspended(); OrchestratorCompleted;
        OrchestratorStarted; ChildFailed(0, "broken"); ChildCompleted(0, "5"); OrchestratorCompleted;
    ];
    let mut execution = replayed::<parent>(&past).unwrap();
    let resumed = execution.run(at(12), kinds(history![ExecutionResumed();])).unwrap();
    check(
        &resumed,
        expect![[r#"
        completed 5
        -
        0 attempt 1 failed: broken, again 2026-01-04T00:00:18.000000Z
        ExecutionResumed
        completed 5"#]],
    );
    let past = [past, resumed.events].concat();
    assert_eq!(replayed::<parent>(&past).unwrap().run(at(99), Vec::new()), None);
}

/// A future that is foreign, because it clones the waker, while the code is broken.
struct Foreign;

impl Durable for Foreign {}

impl Future for Foreign {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if BROKEN.get() {
            drop(cx.waker().clone());
        }
        Poll::Pending
    }
}

#[orchestrator(crate = crate)]
async fn breaks(ctx: &OrchestrationContext) -> Result<u32> {
    let charged = charge(5).retry(THREE).spawn();
    ctx.wait_for_external_event::<()>("go").await?;
    match crate::race((charged, Foreign)).await {
        crate::task::Race2::First(charged) => Ok(charged?),
        crate::task::Race2::Second(()) => Ok(0),
    }
}

#[test]
fn a_failure_after_the_suspending_event_is_judged_on_resume() {
    let mut past = history![
        OrchestratorStarted; ExecutionStarted("breaks", "null"); TaskScheduled(0, "charge");
        OrchestratorCompleted;
    ];
    BROKEN.set(true);
    let mut execution = replayed::<breaks>(&past).unwrap();
    let new = history![EventRaised("go", "null"); TaskFailed(0, "broken");];
    let suspended = execution.run(at(4), kinds(new)).unwrap();
    past.extend(suspended.events);
    let Outcome::Suspended(suspension) = suspended.outcome else { panic!("it is suspended") };
    let again = replayed::<breaks>(&past).err().expect("it is as broken as before");
    assert_eq!(again.code, suspension.code);
    BROKEN.set(false);
    let mut execution = replayed::<breaks>(&past).unwrap();
    let resumed = execution.run(at(5), kinds(history![ExecutionResumed();])).unwrap();
    check(
        &resumed,
        expect![[r#"
        waiting
        -
        0 attempt 1 failed: broken, again 2026-01-04T00:00:14.000000Z
        ExecutionResumed"#]],
    );
    past.extend(resumed.events);
    assert_eq!(replayed::<breaks>(&past).unwrap().attempt(0), SECOND);
}

#[orchestrator(crate = crate)]
async fn changed(ctx: &OrchestrationContext) -> Result<(bool, bool)> {
    ctx.wait_for_external_event::<()>("go").await?;
    Ok((ctx.patched("p"), ctx.is_replaying()))
}

#[test]
fn a_patch_applies_to_events_that_arrived_while_suspended() {
    let mut past = history![
        OrchestratorStarted; ExecutionStarted("changed", "null"); OrchestratorCompleted;
        OrchestratorStarted; ExecutionSuspended(); OrchestratorCompleted;
        OrchestratorStarted; EventRaised("go", "null"); OrchestratorCompleted;
    ];
    let mut execution = replayed::<changed>(&past).unwrap();
    let resumed = execution.run(at(12), kinds(history![ExecutionResumed();])).unwrap();
    check(
        &resumed,
        expect![[r#"
        completed [true,false]
        -
        ExecutionResumed
        GenericEvent
        completed [true,false]"#]],
    );
    past.extend(resumed.events);
    replayed::<changed>(&past).unwrap();
}

#[orchestrator(crate = crate)]
async fn greets(ctx: &OrchestrationContext, name: String) -> Result<String> {
    Ok(format!("Hello {name}!"))
}

#[test]
fn an_input_of_another_type_fails_an_instance_suspended_before_its_start() {
    let past = history![
        OrchestratorStarted; ExecutionStarted("greets", "17"); ExecutionSuspended();
        OrchestratorCompleted;
    ];
    let mut execution = replayed::<greets>(&past).unwrap();
    let resumed = execution.run(at(12), kinds(history![ExecutionResumed();])).unwrap();
    check(
        &resumed,
        expect![[r#"
        failed parameter `name` cannot be read: invalid type: integer `17`, expected a string at line 1 column 2
        -
        ExecutionResumed
        failed parameter `name` cannot be read: invalid type: integer `17`, expected a string at line 1 column 2"#]],
    );
}

#[test]
fn a_result_that_comes_after_the_timeout_of_its_call_is_no_answer_after_a_rewind() {
    let mut past = history![
        OrchestratorStarted; ExecutionStarted("order", "null"); TaskScheduled(0, "charge");
        OrchestratorCompleted; OrchestratorStarted; TaskFailed(0, "too late");
        ExecutionSuspended(); OrchestratorCompleted; OrchestratorStarted; TaskCompleted(0, "5");
        OrchestratorCompleted;
    ];
    past.extend(history![OrchestratorStarted; ExecutionResumed(); OrchestratorCompleted;]);
    let rewound = without_failures(past);
    assert_eq!(rewound.failed, [0]);
    assert!(rewound.past.iter().all(|event| event.kind.answers().is_none()));
}
