//! Continue-as-new: what ends, what is passed on, and mismatches with the history.

use std::time::Duration;

use expect_test::expect;

use super::{after, at, check, check_verified, describe, history, new_execution};
use crate::engine::{Episode, Outcome};
use crate::limits::Limits;
use crate::orchestration::UnreadEvent;
use crate::protocol::{EventKind, HistoryEvent, Json};
use crate::{OrchestrationContext, Result, RuntimeStatus, activity, orchestrator};

#[activity(crate = crate)]
async fn sweep(n: u32) -> Result<u32> {
    Ok(n)
}

#[orchestrator(crate = crate)]
async fn cleanup(ctx: &OrchestrationContext, removed: u32) -> Result<()> {
    let more = sweep(removed).await?;
    let _running = sweep(9).spawn();
    ctx.continue_as_new(cleanup(removed + more)).await
}

#[test]
fn continue_as_new_carries_the_next_input_and_cancels_no_task() {
    check::<cleanup>(
        history![ExecutionStarted("cleanup", "5"); TaskScheduled(0, "sweep");],
        history![TaskCompleted(0, "2");],
        expect!["continued as new with 7, unread: []"],
    );
}

#[test]
fn unread_events_are_passed_on_in_order() {
    check::<cleanup>(
        history![
            ExecutionStarted("cleanup", "5");
            TaskScheduled(0, "sweep");
            EventRaised("b", "1");
            EventRaised("A", "2");
        ],
        history![EventRaised("B", "3"); TaskCompleted(0, "2"); EventRaised("c", "4");],
        expect!["continued as new with 7, unread: [b(1), A(2), B(3), c(4)]"],
    );
}

#[orchestrator(crate = crate)]
async fn waits(ctx: &OrchestrationContext) -> Result<()> {
    let mut first = Box::pin(ctx.wait_for_external_event::<u32>("n"));
    let _ = crate::race((ctx.wait_for_external_event::<u32>("go"), &mut first)).await;
    sweep(1).await?;
    // The wait has its event but was never awaited.
    ctx.continue_as_new(waits()).await
}

#[test]
fn an_event_of_a_wait_that_was_never_awaited_is_passed_on() {
    check::<waits>(
        history![
            ExecutionStarted("waits", "null");
            EventRaised("go", "0");
            TaskScheduled(0, "sweep");
            EventRaised("n", "1");
            EventRaised("n", "2");
        ],
        history![TaskCompleted(0, "1");],
        expect!["continued as new with null, unread: [n(1), n(2)]"],
    );
}

#[orchestrator(crate = crate)]
async fn twice(ctx: &OrchestrationContext, n: u32) -> Result<()> {
    let anew = |more| ctx.continue_as_new(twice(n + more));
    crate::join((anew(1), anew(2))).await.0
}

#[test]
fn the_first_of_two_continue_as_new_calls_wins() {
    check::<twice>(
        history![],
        history![ExecutionStarted("twice", "0");],
        expect!["continued as new with 1, unread: []"],
    );
}

#[orchestrator(crate = crate)]
async fn gives_another(ctx: &OrchestrationContext) -> Result<()> {
    ctx.continue_as_new(cleanup(1)).await
}

#[test]
fn continue_as_new_with_another_orchestration_fails() {
    check::<gives_another>(
        history![],
        history![ExecutionStarted("gives_another", "null");],
        expect![
            "failed `continue_as_new` was given a call of `cleanup` in an instance of `gives_another`; give it a call of `gives_another`, or start the other one with `ctx.start(..)`"
        ],
    );
}

#[orchestrator(crate = crate)]
async fn never_awaited(ctx: &OrchestrationContext) -> Result<u32> {
    let anew = ctx.continue_as_new(never_awaited());
    drop(anew);
    Ok(5)
}

#[test]
fn a_continue_as_new_that_is_not_awaited_has_no_effect() {
    check::<never_awaited>(
        history![],
        history![ExecutionStarted("never_awaited", "null");],
        expect!["completed 5"],
    );
}

#[test]
fn continue_as_new_instead_of_a_recorded_activity_suspends() {
    check::<gives_itself>(
        history![ExecutionStarted("gives_itself", "null"); TaskScheduled(0, "sweep");],
        history![],
        expect![[r#"
            DURABLE0101: orchestration `gives_itself` (instance `order-17`) no longer does what its history recorded
              event 2 recorded     activity `sweep`, requested at src/shop.rs:17
              this replay          continues as new
            the orchestrator was changed while this instance was running, or its code is not deterministic
            the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}

#[orchestrator(crate = crate)]
async fn gives_itself(ctx: &OrchestrationContext) -> Result<()> {
    ctx.continue_as_new(gives_itself()).await
}

#[test]
fn continue_as_new_instead_of_a_recorded_end_suspends() {
    let history = || {
        history![
            ExecutionStarted("gives_itself", "null");
            ExecutionCompleted(RuntimeStatus::Completed);
        ]
    };
    check::<gives_itself>(
        history(),
        history![],
        expect![[r#"
        DURABLE0101: orchestration `gives_itself` (instance `order-17`) no longer does what its history recorded
          event 2 recorded     its end, as Completed
          this replay          continues as new
        the orchestrator was changed while this instance was running, or its code is not deterministic
        the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
    check_verified::<gives_itself>(
        &history(),
        expect![[r#"
        DURABLE0104: orchestration `gives_itself` (instance `order-17`) behaves differently when it is replayed
          event 2 recorded     its end, as Completed with null
          this replay          continues as new
        it was run twice on the same events and behaved differently, so it, or something that it calls, is not deterministic: a clock, a random number, the order of a `HashMap`, shared state
        the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}

#[orchestrator(crate = crate)]
async fn patched(ctx: &OrchestrationContext) -> Result<()> {
    ctx.create_timer(Duration::from_secs(1)).await;
    assert!(ctx.patched("later"), "nothing is recorded behind it");
    ctx.continue_as_new(patched()).await
}

#[test]
fn a_generation_that_continues_as_new_does_not_end() {
    let past = history![ExecutionStarted("patched", "null"); TimerCreated(0, 1);];
    let episode = after::<patched>(past, history![TimerFired(0, 1);]).unwrap().unwrap();
    assert!(matches!(episode.outcome, Outcome::ContinuedAsNew(_)));
    let ends = |event: &crate::protocol::HistoryEvent| event.kind.type_name().to_owned();
    let kinds: Vec<_> = episode.events.iter().map(ends).collect();
    assert_eq!(
        kinds,
        ["OrchestratorStarted", "TimerFired", "GenericEvent", "OrchestratorCompleted"]
    );
}

#[orchestrator(crate = crate)]
async fn reads_one(ctx: &OrchestrationContext, ends: bool) -> Result<u32> {
    let n = ctx.wait_for_external_event::<u32>("n").await?;
    if ends {
        return Ok(n);
    }
    ctx.continue_as_new(reads_one(ends)).await
}

/// The first episode of an execution that inherits these events.
fn inheriting(ends: &str, events: impl IntoIterator<Item = (&'static str, u32)>) -> Episode {
    let mut execution = new_execution::<reads_one>(Limits::default());
    let unread = |(name, n): (&str, u32)| UnreadEvent {
        name: name.to_owned(),
        input: Json::trusted(n.to_string()),
    };
    execution.inherit(events.into_iter().map(unread).collect());
    let start = history![ExecutionStarted("reads_one", ends);].into_iter().map(|event| event.kind);
    execution.run(at(0), start.collect()).unwrap()
}

#[test]
fn unread_events_are_not_delivered_again_in_each_generation() {
    let episode = inheriting("false", (0..10_000).map(|n| ("n", n)));
    let raised = |event: &&HistoryEvent| matches!(event.kind, EventKind::EventRaised { .. });
    assert_eq!(episode.events.iter().filter(raised).count(), 1, "the one that was read");
    let Outcome::ContinuedAsNew(anew) = episode.outcome else { panic!("{episode:?}") };
    let left = anew.unread.iter().map(|event| event.input.to_string());
    assert!(left.eq((1..10_000).map(|n| n.to_string())));
}

#[test]
fn delivered_unread_events_stay_before_undelivered_events() {
    let episode = inheriting("false", [("b", 1), ("n", 2), ("b", 3), ("n", 4)]);
    let expected = expect!["continued as new with false, unread: [b(1), b(3), n(4)]"];
    expected.assert_eq(&describe(&episode));
}

#[test]
fn an_execution_that_ends_records_all_inherited_events() {
    let episode = inheriting("true", [("n", 1), ("b", 2), ("n", 3)]);
    let raised = |event: &HistoryEvent| match &event.kind {
        EventKind::EventRaised { name, input } => Some(format!("{name}({input})")),
        _ => None,
    };
    let raised: Vec<_> = episode.events.iter().filter_map(raised).collect();
    assert_eq!(raised, ["n(1)", "b(2)", "n(3)"]);
    assert_eq!(episode.outcome, Outcome::Finished(RuntimeStatus::Completed));
    check_verified::<reads_one>(&episode.events, expect!["the same"]);
}
