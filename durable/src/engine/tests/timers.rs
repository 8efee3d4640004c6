//! Timers: set once, matched in a replay, due at their recorded time.

use std::time::Duration;

use expect_test::expect;

use super::{at, check, check_events, check_verified, describe, history, new_execution, replayed};
use crate::engine::Outcome;
use crate::limits::Limits;
use crate::task::Race2;
use crate::{OrchestrationContext, Result, activity, orchestrator};

#[activity(crate = crate)]
async fn ring(n: u32) -> Result<u32> {
    Ok(n)
}

#[orchestrator(crate = crate)]
async fn alarm(ctx: &OrchestrationContext, seconds: u64) -> Result<u32> {
    ctx.create_timer(Duration::from_secs(seconds)).await;
    Ok(ring(1).await?)
}

#[test]
fn a_timer_is_an_event_without_an_action() {
    let new = || history![ExecutionStarted("alarm", "10");];
    check::<alarm>(history![], new(), expect!["waiting"]);
    check_events::<alarm>(
        history![],
        new(),
        expect![[r#"
        ExecutionStarted
        0 timer 2026-01-04T00:00:10.000000Z"#]],
    );
}

#[test]
fn a_recorded_timer_is_not_set_again() {
    check::<alarm>(
        history![ExecutionStarted("alarm", "10"); TimerCreated(0, 10);],
        history![],
        expect!["nothing happens"],
    );
}

#[test]
fn a_due_timer_fires_once_and_the_orchestrator_continues() {
    let past = history![ExecutionStarted("alarm", "10"); TimerCreated(0, 10);];
    let mut execution = replayed::<alarm>(&past).unwrap();
    assert_eq!(execution.next_due(), Some(at(10)));
    assert_eq!(execution.run(at(9), Vec::new()), None);
    let episode = execution.run(at(11), Vec::new()).unwrap();
    expect![[r#"
        schedule 1 ring(1)
        waiting"#]]
    .assert_eq(&describe(&episode));
    assert_eq!(execution.next_due(), None);
    assert_eq!(execution.run(at(12), Vec::new()), None);
}

#[test]
fn a_replay_uses_the_recorded_time_of_a_timer() {
    let past = history![ExecutionStarted("alarm", "10"); TimerCreated(0, 77);];
    assert_eq!(replayed::<alarm>(&past).unwrap().next_due(), Some(at(77)));
}

#[test]
fn a_timer_that_fired_is_replayed() {
    check::<alarm>(
        history![
            ExecutionStarted("alarm", "10");
            TimerCreated(0, 10);
            TimerFired(0, 10);
            TaskScheduled(1, "ring");
        ],
        history![TaskCompleted(1, "1");],
        expect!["completed 1"],
    );
}

#[test]
fn a_timer_instead_of_a_recorded_activity_suspends() {
    check::<alarm>(
        history![ExecutionStarted("alarm", "10"); TaskScheduled(0, "ring");],
        history![],
        expect![[r#"
            DURABLE0101: orchestration `alarm` (instance `order-17`) no longer does what its history recorded
              event 2 recorded     activity `ring`, requested at src/shop.rs:17
              this replay          requests a timer due 2026-01-04T00:00:10.000000Z
              requested at         durable/src/engine/tests/timers.rs:N
            the orchestrator was changed while this instance was running, or its code is not deterministic
            the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}

#[test]
fn an_activity_instead_of_a_recorded_timer_suspends() {
    check::<alarm>(
        history![
            ExecutionStarted("alarm", "10");
            TimerCreated(0, 10);
            TimerFired(0, 10);
            TimerCreated(1, 20);
        ],
        history![],
        expect![[r#"
            DURABLE0101: orchestration `alarm` (instance `order-17`) no longer does what its history recorded
              event 4 recorded     a timer due 2026-01-04T00:00:20.000000Z, requested at src/shop.rs:17
              this replay          requests activity `ring`
              requested at         durable/src/engine/tests/timers.rs:N
            the orchestrator was changed while this instance was running, or its code is not deterministic
            the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}

#[test]
fn strict_mode_compares_the_time_of_a_timer() {
    let history = |second| history![ExecutionStarted("alarm", "10"); TimerCreated(0, second);];
    check_verified::<alarm>(&history(10), expect!["the same"]);
    check_verified::<alarm>(
        &history(11),
        expect![[r#"
        DURABLE0104: orchestration `alarm` (instance `order-17`) behaves differently when it is replayed
          event 2 recorded     a timer due 2026-01-04T00:00:11.000000Z, requested at src/shop.rs:17
          this replay          requests a timer due 2026-01-04T00:00:10.000000Z
          requested at         durable/src/engine/tests/timers.rs:N
        it was run twice on the same events and behaved differently, so it, or something that it calls, is not deterministic: a clock, a random number, the order of a `HashMap`, shared state
        the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}

#[orchestrator(crate = crate)]
async fn late(ctx: &OrchestrationContext) -> Result<String> {
    let second = ctx.create_timer(Duration::from_secs(20));
    let first = ctx.create_timer(Duration::from_secs(10));
    let winner = match crate::race((second, first)).await {
        Race2::First(()) => "second",
        Race2::Second(()) => "first",
    };
    ring(2).await?;
    Ok(winner.to_owned())
}

#[test]
fn overdue_timers_fire_in_the_order_of_their_times() {
    let past =
        history![ExecutionStarted("late", "null"); TimerCreated(0, 20); TimerCreated(1, 10);];
    let mut execution = replayed::<late>(&past).unwrap();
    let episode = execution.run(at(99), Vec::new()).unwrap();
    expect![[r#"
        schedule 2 ring(2)
        waiting"#]]
    .assert_eq(&describe(&episode));
}

#[test]
fn a_timer_that_loses_a_race_never_fires() {
    let past = history![
        ExecutionStarted("late", "null");
        TimerCreated(0, 20);
        TimerCreated(1, 10);
        TimerFired(1, 10);
        TaskScheduled(2, "ring");
    ];
    let mut execution = replayed::<late>(&past).unwrap();
    assert_eq!(execution.next_due(), None);
    assert_eq!(execution.run(at(99), Vec::new()), None);
    // A `TimerFired` that an earlier owner of the hub sent is ignored.
    let episode =
        execution.run(at(99), history![TimerFired(0, 20);].into_iter().map(|e| e.kind).collect());
    assert_eq!(episode, None);
}

#[orchestrator(crate = crate)]
async fn in_time(ctx: &OrchestrationContext) -> Result<Option<u32>> {
    match crate::timeout(Duration::from_secs(5), ring(1)).await {
        Ok(rung) => Ok(Some(rung?)),
        Err(_elapsed) => Ok(None),
    }
}

#[test]
fn a_timeout_cancels_the_call() {
    let past = history![ExecutionStarted("in_time", "null"); TaskScheduled(0, "ring"); TimerCreated(1, 6);];
    let mut execution = replayed::<in_time>(&past).unwrap();
    let episode = execution.run(at(6), Vec::new()).unwrap();
    expect![[r#"
        cancel 0
        completed null"#]]
    .assert_eq(&describe(&episode));
    assert!(matches!(episode.outcome, Outcome::Finished(_)));
}

#[test]
fn a_call_that_ends_in_time_leaves_no_timer() {
    let past = history![
        ExecutionStarted("in_time", "null");
        TaskScheduled(0, "ring");
        TimerCreated(1, 6);
    ];
    let mut execution = replayed::<in_time>(&past).unwrap();
    let done = history![TaskCompleted(0, "1");].into_iter().map(|event| event.kind).collect();
    let episode = execution.run(at(5), done).unwrap();
    expect!["completed 1"].assert_eq(&describe(&episode));
    assert_eq!(execution.next_due(), None);
}

#[test]
fn a_start_at_a_later_time_waits_for_it() {
    let past = history![ExecutionStartedFor("alarm", "10", 50);];
    let mut execution = replayed::<alarm>(&past).unwrap();
    assert!(!execution.has_begun());
    assert_eq!(execution.next_due(), Some(at(50)));
    assert_eq!(execution.run(at(49), Vec::new()), None);
    // Its timers count from its delayed start.
    let episode = execution.run(at(51), Vec::new()).unwrap();
    let lines: Vec<_> = episode.events.iter().filter_map(super::line).collect();
    expect![[r#"
        -1 fired 2026-01-04T00:00:50.000000Z
        0 timer 2026-01-04T00:01:01.000000Z"#]]
    .assert_eq(&lines.join("\n"));
    assert!(execution.has_begun());
}

#[test]
fn an_event_before_the_start_is_buffered_and_does_not_start_it() {
    check_events::<alarm>(
        history![ExecutionStartedFor("alarm", "10", 50);],
        history![EventRaised("Now", "1");],
        expect!["raised Now(1)"],
    );
}

#[test]
fn a_later_start_is_replayed() {
    check::<alarm>(
        history![
            ExecutionStartedFor("alarm", "10", 2);
            OrchestratorStarted;
            TimerFired(-1, 2);
            TimerCreated(0, 12);
        ],
        history![TimerFired(0, 12);],
        expect![[r#"
            schedule 1 ring(1)
            waiting"#]],
    );
}

#[orchestrator(crate = crate)]
async fn greedy(ctx: &OrchestrationContext) -> Result<u32> {
    let mut turn = 0;
    loop {
        ctx.create_timer(Duration::from_secs(1)).await;
        turn += 1;
        if turn == 100 {
            return Ok(turn);
        }
    }
}

#[test]
fn too_many_actions_fail_the_execution() {
    let limits = Limits { actions: 2, ..Limits::default() };
    let mut execution = new_execution::<greedy>(limits);
    let new = history![ExecutionStarted("greedy", "null");];
    execution.run(at(0), new.into_iter().map(|event| event.kind).collect()).unwrap();
    assert_eq!(describe(&execution.run(at(1), Vec::new()).unwrap()), "waiting");
    let episode = execution.run(at(2), Vec::new()).unwrap();
    expect!["failed this execution has asked for more than 2 activities, timers and so on; use `ctx.continue_as_new(..)` now and then, or raise `TaskHub::builder().max_actions(..)`"].assert_eq(&describe(&episode));
}

#[test]
fn events_that_arrived_while_suspended_are_delivered_on_resume() {
    check::<alarm>(
        history![
            ExecutionStarted("alarm", "1");
            TimerCreated(0, 1);
            ExecutionSuspended;
            TimerFired(0, 1);
        ],
        history![ExecutionResumed;],
        expect![[r#"
            schedule 1 ring(1)
            waiting"#]],
    );
}
