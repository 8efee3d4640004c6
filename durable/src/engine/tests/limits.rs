//! Limits: what they refuse, and that a replay under other limits refuses the same.

use expect_test::expect;

use super::{at, describe, history, new_execution};
use crate::limits::Limits;
use crate::protocol::{EventKind, ExecutionLimits, HistoryEvent};
use crate::{OrchestrationContext, Result, activity, orchestrator};

#[activity(crate = crate)]
async fn takes(text: String) -> Result<usize> {
    Ok(text.len())
}

/// Returns for each call whether it was refused, after it has waited for an event.
#[orchestrator(crate = crate)]
async fn passes_on(ctx: &OrchestrationContext, sizes: Vec<usize>) -> Result<Vec<bool>> {
    let mut refused = Vec::new();
    for size in sizes {
        refused.push(takes("x".repeat(size)).await.is_err());
    }
    ctx.wait_for_external_event::<u32>("go").await?;
    Ok(refused)
}

fn payload(payload: usize) -> Limits {
    Limits { payload, ..Limits::default() }
}

/// A history in which the first of two calls was made and the second one refused.
fn past(recorded: Option<ExecutionLimits>) -> Vec<HistoryEvent> {
    let mut past = history![
        ExecutionStarted("passes_on", "[100,2000]");
        TaskScheduledWith(0, "takes", &format!("{:?}", "x".repeat(100)));
        TaskCompleted(0, "1");
    ];
    if let EventKind::ExecutionStarted(started) = &mut past[0].kind {
        started.limits = recorded;
    }
    past
}

/// The outcome of a history under these limits when the event arrives.
fn continued(past: &[HistoryEvent], limits: Limits) -> String {
    let mut execution = new_execution::<passes_on>(limits);
    if let Err(suspension) = execution.replay(past) {
        return suspension.reason;
    }
    let go = EventKind::EventRaised { name: "go".to_owned(), input: super::json("1") };
    describe(&execution.run(at(9), vec![go]).unwrap())
}

#[test]
fn a_refused_call_is_refused_in_a_replay_under_a_higher_limit() {
    let past = past(Some(payload(1000).recorded()));
    for limits in [payload(10), payload(1000), payload(100_000)] {
        expect!["completed [false,true]"].assert_eq(&continued(&past, limits));
    }
}

#[test]
fn a_call_recorded_by_release_0_1_is_not_refused_under_a_lower_limit() {
    for limits in [payload(10), payload(1000)] {
        expect!["completed [false,true]"].assert_eq(&continued(&past(None), limits));
    }
}

#[test]
fn a_rewound_execution_continues_under_a_higher_limit() {
    let mut past = past(Some(payload(1000).recorded()));
    past.extend(history![ExecutionRewound("with more room");]);
    let said = continued(&past, payload(100_000));
    assert!(said.contains("schedule 1 takes("), "{said}");
}

#[orchestrator(crate = crate)]
async fn two_by_two(ctx: &OrchestrationContext, rounds: u32) -> Result<usize> {
    let mut failed = 0;
    for _ in 0..rounds {
        let both = crate::join((takes("x".repeat(100)), takes("y".repeat(100)))).await;
        failed += usize::from(both.0.is_err()) + usize::from(both.1.is_err());
    }
    Ok(failed)
}

#[test]
fn a_lower_action_limit_does_not_fail_a_replay() {
    let limits = Limits { actions: 1, ..Limits::default() };
    for recorded in [None, Some(Limits::default().recorded())] {
        let mut past = history![
            ExecutionStarted("two_by_two", "2");
            TaskScheduled(0, "takes");
            TaskScheduled(1, "takes");
            TaskCompleted(0, "1");
        ];
        if let EventKind::ExecutionStarted(started) = &mut past[0].kind {
            started.limits = recorded;
        }
        let mut execution = new_execution::<two_by_two>(limits);
        execution.replay(&past).unwrap();
        let done = history![TaskCompleted(1, "1");].pop().unwrap().kind;
        let said = describe(&execution.run(at(9), vec![done]).unwrap());
        // A new call is refused under the limits that the execution has recorded.
        assert_eq!(said.contains("has asked for more than"), recorded.is_none(), "{said}");
        assert_eq!(said.contains("schedule 2 takes("), recorded.is_some(), "{said}");
    }
}

#[test]
fn outgoing_bytes_are_bounded_per_episode() {
    let limits = Limits { episode: 250, ..Limits::default() };
    let run = |limits| {
        let mut execution = new_execution::<two_by_two>(limits);
        let start = super::event::ExecutionStarted("two_by_two", "2").1;
        let first = describe(&execution.run(at(0), vec![start]).unwrap());
        let [zero, one] = [0, 1].map(|id| super::event::TaskCompleted(id, "1").1);
        (first, describe(&execution.run(at(1), vec![zero, one]).unwrap()))
    };
    let (first, second) = run(limits);
    assert_eq!(first.matches("schedule").count(), 2, "{first}");
    assert_eq!(second.matches("schedule").count(), 2, "{second}");
    let (first, _) = run(Limits { episode: 150, ..limits });
    assert_eq!(first.matches("schedule").count(), 1, "{first}");
}

/// Sends events or starts orchestrations in a loop until an error stops it.
#[orchestrator(crate = crate)]
async fn sends_without_end(ctx: &OrchestrationContext, starts: bool) -> Result<u32> {
    let mut sent = 0;
    loop {
        let done = if starts {
            ctx.start(sends_without_end(false)).map(drop)
        } else {
            ctx.send_event("other", "n", &1)
        };
        match done {
            Ok(()) => sent += 1,
            Err(refused) if refused.details().error_type.ends_with("TooManyActions") => {
                ctx.wait_for_external_event::<u32>("n").await?;
                return Ok(sent);
            }
            Err(refused) => return Err(refused),
        }
    }
}

#[test]
fn an_endless_loop_of_events_or_starts_fails_the_execution() {
    for input in ["false", "true"] {
        let limits = Limits { actions: 10, ..Limits::default() };
        let mut execution = new_execution::<sends_without_end>(limits);
        let start = super::event::ExecutionStarted("sends_without_end", input).1;
        let said = describe(&execution.run(at(0), vec![start]).unwrap());
        assert!(said.contains("failed this execution has asked for more than 10"), "{said}");
    }
}
