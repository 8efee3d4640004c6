//! External events: which wait gets which event, unread events, and events that are sent.

use expect_test::expect;

use super::{at, check, check_events, check_verified, describe, history, json, new_execution};
use crate::limits::Limits;
use crate::protocol::EventKind;
use crate::task::Race2;
use crate::{OrchestrationContext, Result, activity, orchestrator};

#[activity(crate = crate)]
async fn note(n: u32) -> Result<u32> {
    Ok(n)
}

#[orchestrator(crate = crate)]
async fn gather(ctx: &OrchestrationContext, count: u32) -> Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for _ in 0..count {
        numbers.push(ctx.wait_for_external_event::<u32>("Number").await?);
    }
    Ok(numbers)
}

#[test]
fn a_wait_for_an_event_records_no_request() {
    check_events::<gather>(
        history![],
        history![ExecutionStarted("gather", "1");],
        expect!["ExecutionStarted"],
    );
}

#[test]
fn events_of_one_name_arrive_in_order_ignoring_case() {
    check::<gather>(
        history![ExecutionStarted("gather", "3"); EventRaised("number", "1");],
        history![EventRaised("NUMBER", "2"); EventRaised("Other", "9"); EventRaised("Number", "3");],
        expect!["completed [1,2,3]"],
    );
}

#[orchestrator(crate = crate)]
async fn busy(ctx: &OrchestrationContext) -> Result<Vec<u32>> {
    note(0).await?;
    let first = ctx.wait_for_external_event::<u32>("n").await?;
    let second = ctx.wait_for_external_event::<u32>("n").await?;
    Ok(vec![first, second])
}

#[test]
fn an_event_that_arrives_before_its_wait_is_buffered() {
    check::<busy>(
        history![
            ExecutionStarted("busy", "null");
            TaskScheduled(0, "note");
            EventRaised("n", "1");
        ],
        history![EventRaised("n", "2"); TaskCompleted(0, "0");],
        expect!["completed [1,2]"],
    );
}

#[orchestrator(crate = crate)]
async fn two_at_once(ctx: &OrchestrationContext) -> Result<(u32, u32)> {
    let wait = || ctx.wait_for_external_event::<u32>("n");
    Ok(crate::try_join((wait(), wait())).await?)
}

#[test]
fn the_oldest_wait_gets_the_first_event() {
    check::<two_at_once>(
        history![ExecutionStarted("two_at_once", "null");],
        history![EventRaised("n", "1"); EventRaised("n", "2");],
        expect!["completed [1,2]"],
    );
}

/// A wait that loses a race, with or without its event when it is dropped.
#[orchestrator(crate = crate)]
async fn dropped(ctx: &OrchestrationContext) -> Result<(u32, u32)> {
    {
        let lost = Box::pin(ctx.wait_for_external_event::<u32>("n"));
        let go = ctx.wait_for_external_event::<u32>("go");
        let group = async {
            let _ = lost.await;
            note(1).await
        };
        let Race2::First(_) = crate::race((go, group)).await else { return Ok((0, 0)) };
    }
    let first = ctx.wait_for_external_event::<u32>("n").await?;
    let second = ctx.wait_for_external_event::<u32>("n").await?;
    Ok((first, second))
}

#[test]
fn a_dropped_wait_returns_its_event_to_the_next_wait() {
    check::<dropped>(
        history![ExecutionStarted("dropped", "null"); EventRaised("go", "0");],
        history![EventRaised("n", "1"); EventRaised("n", "2");],
        expect!["completed [1,2]"],
    );
}

/// The wait has its event, but is dropped before it is polled.
#[orchestrator(crate = crate)]
async fn given_back(ctx: &OrchestrationContext) -> Result<(u32, u32)> {
    let mut first = Box::pin(ctx.wait_for_external_event::<u32>("n"));
    let go = ctx.wait_for_external_event::<u32>("go");
    let begun = crate::race((go, &mut first)).await;
    assert!(matches!(begun, Race2::First(_)), "`go` is raised first");
    note(1).await?;
    drop(first);
    let wait = || ctx.wait_for_external_event::<u32>("n");
    Ok((wait().await?, wait().await?))
}

#[test]
fn an_event_returned_by_a_dropped_wait_keeps_its_position() {
    check::<given_back>(
        history![
            ExecutionStarted("given_back", "null");
            EventRaised("go", "0");
            TaskScheduled(0, "note");
            EventRaised("n", "1");
            EventRaised("n", "2");
        ],
        history![TaskCompleted(0, "1");],
        expect!["completed [1,2]"],
    );
}

/// The older wait is dropped after the younger one was polled in the same pass.
#[orchestrator(crate = crate)]
async fn handed_back(ctx: &OrchestrationContext) -> Result<Vec<u32>> {
    let younger = async {
        note(1).await?;
        ctx.wait_for_external_event::<u32>("n").await
    };
    let older = async {
        let mut wait = ctx.wait_for_external_event::<u32>("n");
        let _ = crate::race((&mut wait, note(0))).await;
        let done = note(2).await;
        drop(wait);
        done
    };
    let (younger, older) = crate::join((younger, older)).await;
    Ok(vec![younger?, older?])
}

/// The same in a group that polls only woken children.
#[orchestrator(crate = crate)]
async fn handed_back_in_groups(ctx: &OrchestrationContext) -> Result<Vec<u32>> {
    let part = |index: u32| async move {
        if index > 0 {
            note(index).await?;
            return ctx.wait_for_external_event::<u32>("n").await;
        }
        let mut wait = ctx.wait_for_external_event::<u32>("n");
        let _ = crate::race((&mut wait, note(0))).await;
        note(2).await
    };
    let inner = |index| async move { crate::join_all([part(index)]).await.remove(0) };
    Ok(crate::try_join_all([1, 0].map(inner)).await?)
}

fn handed_back_past(version: u8, name: &str) -> Vec<crate::protocol::HistoryEvent> {
    history![
        ExecutionStartedUnder(version, name, "null");
        TaskScheduled(0, "note");
        TaskScheduled(1, "note");
        TaskCompleted(0, "0");
        TaskCompleted(1, "0");
        TaskScheduled(2, "note");
        EventRaised("n", "7");
    ]
}

#[test]
fn an_event_returned_by_a_dropped_wait_is_read_in_the_same_poll() {
    let completed = history![TaskCompleted(2, "2");];
    check::<handed_back>(handed_back_past(1, "handed_back"), completed, expect!["completed [7,2]"]);
}

#[test]
fn an_event_returned_by_a_dropped_wait_wakes_a_nested_group() {
    check::<handed_back_in_groups>(
        handed_back_past(1, "handed_back_in_groups"),
        history![TaskCompleted(2, "2");],
        expect!["completed [7,2]"],
    );
}

#[test]
fn replay_version_0_reads_a_returned_event_if_no_other_wait_is_open() {
    let completed = history![TaskCompleted(2, "2");];
    check::<handed_back>(handed_back_past(0, "handed_back"), completed, expect!["completed [7,2]"]);
}

/// Returns an event as `handed_back` does, and then waits for something else.
#[orchestrator(crate = crate)]
async fn handed_back_and_waits(ctx: &OrchestrationContext) -> Result<u32> {
    let younger = async {
        note(1).await?;
        let event = ctx.wait_for_external_event::<u32>("n").await?;
        note(event).await
    };
    let older = async {
        let mut wait = ctx.wait_for_external_event::<u32>("n");
        let _ = crate::race((&mut wait, note(0))).await;
        let _ = note(2).await;
        drop(wait);
        note(3).await
    };
    Ok(crate::try_join((younger, older)).await?.1)
}

#[test]
fn replay_version_0_delays_a_returned_event_until_the_next_event() {
    for (version, expected) in [
        (0, expect!["schedule 3 note(3)\nwaiting"]),
        (1, expect!["schedule 3 note(3)\nschedule 4 note(7)\nwaiting"]),
    ] {
        check::<handed_back_and_waits>(
            handed_back_past(version, "handed_back_and_waits"),
            history![TaskCompleted(2, "2");],
            expected,
        );
    }
}

/// Drops the first of three waits while two of them have their events.
#[orchestrator(crate = crate)]
async fn three_waits(ctx: &OrchestrationContext) -> Result<Vec<u32>> {
    let wait = || ctx.wait_for_external_event::<u32>("n");
    let (mut first, mut second, mut third) = (wait(), wait(), wait());
    let _ = crate::race((&mut first, &mut second, &mut third, note(0))).await;
    note(1).await?;
    drop(first);
    Ok(vec![second.await?, third.await?])
}

fn three_waits_past(version: u8) -> Vec<crate::protocol::HistoryEvent> {
    history![
        ExecutionStartedUnder(version, "three_waits", "null");
        TaskScheduled(0, "note");
        TaskCompleted(0, "0");
        TaskScheduled(1, "note");
        EventRaised("n", "1");
        EventRaised("n", "2");
    ]
}

#[test]
fn events_stay_in_order_when_a_wait_is_dropped() {
    check::<three_waits>(
        three_waits_past(1),
        history![TaskCompleted(1, "0");],
        expect!["completed [1,2]"],
    );
}

#[test]
fn replay_version_0_lets_an_event_overtake_as_recorded() {
    check::<three_waits>(
        three_waits_past(0),
        history![TaskCompleted(1, "0");],
        expect!["completed [2,1]"],
    );
}

#[orchestrator(crate = crate)]
async fn unreadable(ctx: &OrchestrationContext) -> Result<String> {
    let first = ctx.wait_for_external_event::<u32>("n").await;
    let second = ctx.wait_for_external_event::<u32>("n").await?;
    Ok(format!("{}; then {second}", first.is_err()))
}

#[test]
fn an_event_of_another_type_fails_its_wait_and_is_consumed() {
    check::<unreadable>(
        history![ExecutionStarted("unreadable", "null");],
        history![EventRaised("n", r#""text""#); EventRaised("n", "2");],
        expect![[r#"completed "true; then 2""#]],
    );
}

#[test]
fn too_many_unread_events_fail_the_execution() {
    let limits = Limits { unread_events: 2, ..Limits::default() };
    let mut execution = new_execution::<busy>(limits);
    execution.run(at(0), vec![super::event::ExecutionStarted("busy", "null").1]).unwrap();
    let raised = || EventKind::EventRaised { name: "n".to_owned(), input: json("1") };
    let episode = execution.run(at(1), vec![raised(), raised()]).unwrap();
    expect!["waiting"].assert_eq(&describe(&episode));
    let episode = execution.run(at(2), vec![raised()]).unwrap();
    expect![[r#"
        cancel 0
        failed more than 2 external events came in that this execution has not waited for; wait for them, or raise `TaskHub::builder().max_unread_events(..)`"#]].assert_eq(&describe(&episode));
}

#[orchestrator(crate = crate)]
async fn sender(ctx: &OrchestrationContext, to: String, number: u32) -> Result<u32> {
    ctx.send_event(&to, "Number", &number)?;
    Ok(note(number).await?)
}

#[test]
fn an_event_that_is_sent_is_recorded_and_sent_once() {
    let new = || history![ExecutionStarted("sender", r#"["other",5]"#);];
    check::<sender>(
        history![],
        new(),
        expect![[r#"
        send Number(5) to other
        schedule 1 note(5)
        waiting"#]],
    );
    check_events::<sender>(
        history![],
        new(),
        expect![[r#"
        ExecutionStarted
        0 event Number(5) to other
        1 activity note(5)"#]],
    );
    check::<sender>(
        history![
            ExecutionStarted("sender", r#"["other",5]"#);
            EventSent(0, "other", "Number", "5");
            TaskScheduled(1, "note");
        ],
        history![],
        expect!["nothing happens"],
    );
}

#[test]
fn an_event_instead_of_a_recorded_activity_suspends() {
    check::<sender>(
        history![ExecutionStarted("sender", r#"["other",5]"#); TaskScheduled(0, "note");],
        history![],
        expect![[r#"
            DURABLE0101: orchestration `sender` (instance `order-17`) no longer does what its history recorded
              event 2 recorded     activity `note`, requested at src/shop.rs:17
              this replay          requests event `Number` to `other`
              requested at         durable/src/engine/tests/events.rs:N
            the orchestrator was changed while this instance was running, or its code is not deterministic
            the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}

#[test]
fn an_activity_instead_of_a_recorded_event_suspends() {
    check::<busy>(
        history![ExecutionStarted("busy", "null"); EventSent(0, "other", "Number", "5");],
        history![],
        expect![[r#"
            DURABLE0101: orchestration `busy` (instance `order-17`) no longer does what its history recorded
              event 2 recorded     event `Number` to `other`, requested at src/shop.rs:17
              this replay          requests activity `note`
              requested at         durable/src/engine/tests/events.rs:N
            the orchestrator was changed while this instance was running, or its code is not deterministic
            the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}

#[test]
fn an_event_other_than_the_recorded_one_suspends() {
    check::<sender>(
        history![ExecutionStarted("sender", r#"["other",5]"#); EventSent(0, "other", "Text", "5");],
        history![],
        expect![[r#"
            DURABLE0101: orchestration `sender` (instance `order-17`) no longer does what its history recorded
              event 2 recorded     event `Text` to `other`, requested at src/shop.rs:17
              this replay          requests event `Number` to `other`
              requested at         durable/src/engine/tests/events.rs:N
            the orchestrator was changed while this instance was running, or its code is not deterministic
            the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}

#[test]
fn strict_mode_compares_recipient_and_payload_of_events() {
    let history = |to, input| {
        history![
            ExecutionStarted("sender", r#"["other",5]"#);
            EventSent(0, to, "Number", input);
            TaskScheduledWith(1, "note", "5");
        ]
    };
    check_verified::<sender>(&history("other", "5"), expect!["the same"]);
    check_verified::<sender>(
        &history("another", "5"),
        expect![[r#"
        DURABLE0104: orchestration `sender` (instance `order-17`) behaves differently when it is replayed
          event 2 recorded     event `Number` to `another` with 5, requested at src/shop.rs:17
          this replay          requests event `Number` to `other` with 5
          requested at         durable/src/engine/tests/events.rs:N
        it was run twice on the same events and behaved differently, so it, or something that it calls, is not deterministic: a clock, a random number, the order of a `HashMap`, shared state
        the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
    check_verified::<sender>(
        &history("other", "6"),
        expect![[r#"
        DURABLE0104: orchestration `sender` (instance `order-17`) behaves differently when it is replayed
          event 2 recorded     event `Number` to `other` with 6, requested at src/shop.rs:17
          this replay          requests event `Number` to `other` with 5
          requested at         durable/src/engine/tests/events.rs:N
        it was run twice on the same events and behaved differently, so it, or something that it calls, is not deterministic: a clock, a random number, the order of a `HashMap`, shared state
        the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}
