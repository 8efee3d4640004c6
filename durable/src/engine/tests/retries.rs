//! Retries by the engine: one event per failed attempt, without polling the orchestrator.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use expect_test::expect;

use super::{after, at, check, check_events, describe, history, replayed};
use crate::engine::Action;
use crate::protocol::{EventKind, ExecutionId, HistoryEvent};
use crate::task::{Durable, Race2};
use crate::{OrchestrationContext, Result, RetryPolicy, activity, orchestrator};

const THREE: RetryPolicy = RetryPolicy::new(3, Duration::from_secs(10)).backoff_coefficient(2.0);

thread_local! {
    static POLLS: Cell<u32> = const { Cell::new(0) };
}

/// Counts the polls of the orchestrator; never done.
struct Polled;

impl Durable for Polled {}

impl Future for Polled {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        POLLS.set(POLLS.get() + 1);
        Poll::Pending
    }
}

#[activity(crate = crate)]
async fn charge(n: u32) -> Result<u32> {
    Ok(n)
}

#[orchestrator(crate = crate)]
async fn order(ctx: &OrchestrationContext) -> Result<u32> {
    match crate::race((charge(5).retry(THREE), Polled)).await {
        Race2::First(charged) => Ok(charged?),
        Race2::Second(()) => Ok(0),
    }
}

fn kinds(events: Vec<HistoryEvent>) -> Vec<EventKind> {
    events.into_iter().map(|event| event.kind).collect()
}

fn asked() -> Vec<HistoryEvent> {
    history![ExecutionStarted("order", "null"); TaskScheduled(0, "charge");]
}

#[test]
fn a_failed_attempt_is_one_event_with_the_time_of_the_next_attempt() {
    check_events::<order>(
        asked(),
        history![TaskFailed(0, "broken");],
        expect!["0 attempt 1 failed: broken, again 2026-01-04T00:00:12.000000Z"],
    );
    check::<order>(asked(), history![TaskFailed(0, "broken");], expect!["waiting"]);
}

#[test]
fn the_orchestrator_is_not_polled_for_an_attempt() {
    let mut execution = replayed::<order>(&asked()).unwrap();
    let before = POLLS.get();
    assert!(before > 0);
    execution.run(at(2), kinds(history![TaskFailed(0, "broken");])).unwrap();
    execution.run(at(12), Vec::new()).unwrap();
    execution.run(at(13), kinds(history![TaskFailed(0, "broken");])).unwrap();
    assert_eq!(POLLS.get(), before);
    execution.run(at(14), kinds(history![TaskFailed(0, "late");]));
}

#[test]
fn the_next_attempt_begins_at_its_time_with_its_number_and_no_event() {
    let mut past = asked();
    past.extend(history![TaskAttemptFailed(0, 1, 12);]);
    let mut execution = replayed::<order>(&past).unwrap();
    assert_eq!(execution.next_due(), Some(at(12)));
    assert!(!execution.has_running_activities());
    assert!(execution.running_tasks().is_empty());
    assert_eq!(execution.run(at(11), Vec::new()), None);
    let episode = execution.run(at(12), Vec::new()).unwrap();
    expect![[r#"
        schedule 0 charge(5), attempt 2
        waiting"#]]
    .assert_eq(&describe(&episode));
    assert_eq!(episode.events, []);
    assert!(execution.has_running_activities());
    assert_eq!(execution.next_due(), None);
}

#[test]
fn intervals_grow_and_the_last_attempt_fails_the_call() {
    let mut past = asked();
    past.extend(history![TaskAttemptFailed(0, 1, 12);]);
    let mut execution = replayed::<order>(&past).unwrap();
    execution.run(at(12), Vec::new()).unwrap();
    let failed = execution.run(at(20), kinds(history![TaskFailed(0, "broken");])).unwrap();
    assert_eq!(execution.next_due(), Some(at(40)));
    assert_eq!(failed.actions, []);
    let third = execution.run(at(40), Vec::new()).unwrap();
    expect![[r#"
        schedule 0 charge(5), attempt 3
        waiting"#]]
    .assert_eq(&describe(&third));
    let end = execution.run(at(41), kinds(history![TaskFailed(0, "for good");])).unwrap();
    expect!["failed activity `charge` failed: for good"].assert_eq(&describe(&end));
}

#[test]
fn a_later_attempts_result_completes_the_call() {
    let mut past = asked();
    past.extend(history![TaskAttemptFailed(0, 1, 3);]);
    let mut execution = replayed::<order>(&past).unwrap();
    execution.run(at(3), Vec::new()).unwrap();
    let end = execution.run(at(4), kinds(history![TaskCompleted(0, "5");])).unwrap();
    expect!["completed 5"].assert_eq(&describe(&end));
}

#[test]
fn a_failure_that_is_not_retryable_fails_the_call_immediately() {
    check::<order>(
        asked(),
        history![TaskFailedForGood(0, "no such card");],
        expect!["failed activity `charge` failed: no such card"],
    );
}

#[test]
fn a_replay_finds_the_decision_in_the_history_and_makes_none() {
    // The recorded retry exceeds the attempts that the code now allows, and still counts.
    let mut past = asked();
    past.extend(history![
        TaskAttemptFailed(0, 1, 12);
        TaskAttemptFailed(0, 2, 40);
        TaskAttemptFailed(0, 3, 90);
    ]);
    let mut execution = replayed::<order>(&past).unwrap();
    let episode = execution.run(at(90), Vec::new()).unwrap();
    expect![[r#"
        schedule 0 charge(5), attempt 4
        waiting"#]]
    .assert_eq(&describe(&episode));
    // A failure that was recorded as final stays final, whatever the policy says now.
    let mut past = asked();
    past.extend(history![TaskFailed(0, "broken");]);
    check::<order>(past, history![], expect!["failed activity `charge` failed: broken"]);
}

#[test]
fn an_attempt_that_is_due_is_running_after_a_replay() {
    let mut past = asked();
    past.extend(history![TaskAttemptFailed(0, 1, 12);]);
    let mut execution = replayed::<order>(&past).unwrap();
    let episode = execution.run(at(99), Vec::new()).unwrap();
    expect![[r#"
        schedule 0 charge(5), attempt 2
        waiting"#]]
    .assert_eq(&describe(&episode));
    let running: Vec<_> =
        execution.running_tasks().iter().map(|task| (task.event_id, task.attempt.number)).collect();
    assert_eq!(running, [(0, 2)]);
}

#[orchestrator(crate = crate)]
async fn picky(ctx: &OrchestrationContext) -> Result<u32> {
    let policy =
        THREE.handle(|retry| retry.failure().message == "busy" && retry.last_attempt_number() == 1);
    Ok(charge(5).retry(policy).await?)
}

#[test]
fn a_handler_decides_what_is_retried() {
    let past = || history![ExecutionStarted("picky", "null"); TaskScheduled(0, "charge");];
    check::<picky>(past(), history![TaskFailed(0, "busy");], expect!["waiting"]);
    check::<picky>(
        past(),
        history![TaskFailed(0, "broken");],
        expect!["failed activity `charge` failed: broken"],
    );
    let mut past = past();
    past.extend(history![TaskAttemptFailed(0, 1, 2);]);
    let mut execution = replayed::<picky>(&past).unwrap();
    execution.run(at(3), Vec::new()).unwrap();
    let end = execution.run(at(4), kinds(history![TaskFailed(0, "busy");])).unwrap();
    expect!["failed activity `charge` failed: busy"].assert_eq(&describe(&end));
}

#[orchestrator(crate = crate)]
async fn hurried(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(charge(5).retry(THREE).timeout(Duration::from_secs(30)).await?)
}

#[test]
fn a_timeout_over_all_attempts_cancels_the_running_attempt() {
    let past = history![ExecutionStarted("hurried", "null"); TaskScheduled(0, "charge");];
    let mut execution = replayed::<hurried>(&past).unwrap();
    assert_eq!(execution.next_due(), Some(at(31)));
    execution.run(at(2), kinds(history![TaskFailed(0, "broken");])).unwrap();
    execution.run(at(12), Vec::new()).unwrap();
    let episode = execution.run(at(31), Vec::new()).unwrap();
    expect![[r#"
        cancel 0
        failed activity `charge` failed: it took longer than its timeout of 30s"#]]
    .assert_eq(&describe(&episode));
    assert_eq!(execution.next_due(), None);
    let lines: Vec<_> = episode.events.iter().filter_map(super::line).collect();
    expect![[r#"
        0 failed: it took longer than its timeout of 30s
        failed activity `charge` failed: it took longer than its timeout of 30s"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn a_timeout_also_counts_between_attempts() {
    let mut past = history![ExecutionStarted("hurried", "null"); TaskScheduled(0, "charge");];
    past.extend(history![TaskAttemptFailed(0, 2, 50);]);
    let mut execution = replayed::<hurried>(&past).unwrap();
    let episode = execution.run(at(31), Vec::new()).unwrap();
    expect![[r#"
        cancel 0
        failed activity `charge` failed: it took longer than its timeout of 30s"#]]
    .assert_eq(&describe(&episode));
}

#[orchestrator(crate = crate)]
async fn child(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(charge(1).await?)
}

#[orchestrator(crate = crate)]
async fn parent(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(child().retry(THREE).await?)
}

#[test]
fn a_childs_next_attempt_is_sent_out_with_its_failure() {
    let past = history![
        ExecutionStarted("parent", "null");
        ChildCreated(0, "child", "the-child");
    ];
    let mut execution = replayed::<parent>(&past).unwrap();
    let failed = execution.run(at(2), kinds(history![ChildFailed(0, "broken");])).unwrap();
    expect![[r#"
        start child (null) as the-child
        waiting"#]]
    .assert_eq(&describe(&failed));
    let second = ExecutionId::of_child(ExecutionId::from_u128(7), 0, 2);
    let [Action::StartOrchestration { started, .. }] = &failed.actions[..] else {
        panic!("{:?}", failed.actions)
    };
    assert_eq!(started.execution_id, second);
    assert!(started.scheduled_start.unwrap() > at(2));
    assert_eq!(execution.open_children().len(), 1);
    // Its start is already sent out, so neither this process nor the next has to send it.
    assert_eq!(execution.next_due(), None);
    let mut past = past;
    past.extend(failed.events);
    assert_eq!(replayed::<parent>(&past).unwrap().next_due(), None);
}

/// Before the rewind, an attempt of the same number may have run under that id.
#[test]
fn a_childs_attempts_have_other_executions_after_a_rewind() {
    let past = history![
        ExecutionStarted("parent", "null");
        ChildCreated(0, "child", "the-child");
        ExecutionRewound("again");
    ];
    let mut execution = replayed::<parent>(&past).unwrap();
    let failed = execution.run(at(2), kinds(history![ChildFailed(0, "broken");])).unwrap();
    let [Action::StartOrchestration { started, .. }] = &failed.actions[..] else {
        panic!("{:?}", failed.actions)
    };
    let before = ExecutionId::of_child(ExecutionId::from_u128(7), 0, 2);
    assert_ne!(started.execution_id, before);
}

#[orchestrator(crate = crate)]
async fn jittery(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(charge(5).retry(THREE.jitter(0.5)).await?)
}

#[test]
fn jitter_is_the_same_for_the_same_attempt() {
    let past = || history![ExecutionStarted("jittery", "null"); TaskScheduled(0, "charge");];
    let failed = || history![TaskFailed(0, "broken");];
    let once = after::<jittery>(past(), failed()).unwrap();
    assert_eq!(once, after::<jittery>(past(), failed()).unwrap());
    let due = |second| {
        let mut execution = replayed::<jittery>(&past()).unwrap();
        execution.run(at(second), kinds(failed())).unwrap();
        execution.next_due().unwrap().since(at(second))
    };
    assert!((5..=10).contains(&due(2).as_secs()), "{:?}", due(2));
    assert_eq!(due(2), due(3));
}
