//! `as_completed` and `at_most`: results in completion order, bounded concurrency, and their cost.

use std::cell::Cell;
use std::future::{pending, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use expect_test::expect;

use super::races::check_every_cut;
use super::{at, check, describe, history, json, replayed};
use crate::definition::Definition;
use crate::engine::{Action, Episode, Outcome};
use crate::protocol::{EventKind, RuntimeStatus};
use crate::task::{Race2, Race3};
use crate::{OrchestrationContext, Result, activity, orchestrator};

#[activity(crate = crate)]
async fn quadruple(n: u32) -> Result<u32> {
    Ok(4 * n)
}

/// Results in completion order, with a pause after the first if `pause` is set.
#[orchestrator(crate = crate)]
async fn in_turn(ctx: &OrchestrationContext, count: u32, pause: bool) -> Result<Vec<String>> {
    let mut results = crate::as_completed((0..count).map(quadruple));
    let mut found = Vec::new();
    while let Some((index, result)) = results.next().await {
        found.push(format!("{index}: {:?}", result.ok()));
        if pause && found.len() == 1 {
            quadruple(100).await?;
        }
    }
    assert!(results.next().await.is_none(), "it stays at its end");
    Ok(found)
}

#[test]
fn as_completed_schedules_all_at_once_and_yields_in_completion_order() {
    check::<in_turn>(
        history![
            ExecutionStarted("in_turn", "[3,false]");
            TaskScheduled(0, "quadruple");
            TaskScheduled(1, "quadruple");
            TaskScheduled(2, "quadruple");
            TaskCompleted(2, "6");
        ],
        history![TaskFailed(0, "broken"); TaskCompleted(1, "3");],
        expect![[r#"completed ["2: Some(6)","0: None","1: Some(3)"]"#]],
    );
}

#[test]
fn as_completed_keeps_results_while_another_future_is_awaited() {
    check::<in_turn>(
        history![
            ExecutionStarted("in_turn", "[4,true]");
            TaskScheduled(0, "quadruple");
            TaskScheduled(1, "quadruple");
            TaskScheduled(2, "quadruple");
            TaskScheduled(3, "quadruple");
            TaskCompleted(2, "6");
            TaskScheduled(4, "quadruple");
            TaskCompleted(3, "9");
            TaskCompleted(0, "0");
        ],
        history![TaskCompleted(4, "300"); TaskCompleted(1, "3");],
        expect![[r#"completed ["2: Some(6)","3: Some(9)","0: Some(0)","1: Some(3)"]"#]],
    );
}

#[test]
fn as_completed_of_nothing_is_finished() {
    check::<in_turn>(
        history![],
        history![ExecutionStarted("in_turn", "[0,false]");],
        expect!["completed []"],
    );
}

/// `next` loses a race, and the following `next` yields the result.
#[orchestrator(crate = crate)]
async fn impatient(ctx: &OrchestrationContext) -> Result<String> {
    let mut results = crate::as_completed([quadruple(1), quadruple(2)]);
    let early = crate::race((results.next(), quadruple(50))).await;
    let Race2::Second(_) = early else { return Ok(format!("{early:?}")) };
    Ok(format!("late {:?}", results.next().await))
}

#[test]
fn a_next_that_loses_a_race_keeps_its_result() {
    check::<impatient>(
        history![
            ExecutionStarted("impatient", "null");
            TaskScheduled(0, "quadruple");
            TaskScheduled(1, "quadruple");
            TaskScheduled(2, "quadruple");
        ],
        history![TaskCompleted(2, "150"); TaskCompleted(1, "6");],
        expect![[r#"
            cancel 0
            completed "late Some((1, Ok(6)))""#]],
    );
}

#[test]
fn dropping_as_completed_after_a_won_race_cancels_the_rest() {
    check::<impatient>(
        history![
            ExecutionStarted("impatient", "null");
            TaskScheduled(0, "quadruple");
            TaskScheduled(1, "quadruple");
            TaskScheduled(2, "quadruple");
        ],
        history![TaskCompleted(1, "6");],
        expect![[r#"
            cancel 2
            cancel 0
            completed "First(Some((1, Ok(6))))""#]],
    );
}

#[orchestrator(crate = crate)]
async fn few(ctx: &OrchestrationContext, count: u32, at_most: usize) -> Vec<Option<u32>> {
    let results = crate::join_all((0..count).map(quadruple)).at_most(at_most).await;
    results.into_iter().map(Result::ok).collect()
}

#[test]
fn at_most_bounds_the_number_of_open_calls() {
    check::<few>(
        history![],
        history![ExecutionStarted("few", "[5,2]");],
        expect![[r#"
            schedule 0 quadruple(0)
            schedule 1 quadruple(1)
            waiting"#]],
    );
}

#[test]
fn at_most_starts_the_next_call_for_each_result() {
    check::<few>(
        history![
            ExecutionStarted("few", "[5,2]");
            TaskScheduled(0, "quadruple");
            TaskScheduled(1, "quadruple");
        ],
        history![TaskCompleted(1, "3"); TaskFailed(0, "broken");],
        expect![[r#"
            schedule 2 quadruple(2)
            schedule 3 quadruple(3)
            waiting"#]],
    );
}

#[test]
fn at_most_gives_results_in_the_order_of_the_calls() {
    check::<few>(
        history![
            ExecutionStarted("few", "[3,2]");
            TaskScheduled(0, "quadruple");
            TaskScheduled(1, "quadruple");
            TaskCompleted(1, "3");
            TaskScheduled(2, "quadruple");
            TaskCompleted(2, "6");
        ],
        history![TaskCompleted(0, "0");],
        expect!["completed [0,3,6]"],
    );
}

#[test]
fn at_most_zero_counts_as_one() {
    check::<few>(
        history![],
        history![ExecutionStarted("few", "[2,0]");],
        expect![[r#"
            schedule 0 quadruple(0)
            waiting"#]],
    );
}

#[test]
fn at_most_of_nothing_is_done_immediately() {
    check::<few>(history![], history![ExecutionStarted("few", "[0,2]");], expect!["completed []"]);
}

/// The same with bounded concurrency.
#[orchestrator(crate = crate)]
async fn few_in_turn(
    ctx: &OrchestrationContext,
    count: u32,
    at_most: usize,
    pause: bool,
) -> Result<Vec<String>> {
    let mut results = crate::as_completed((0..count).map(quadruple)).at_most(at_most);
    let mut found = Vec::new();
    while let Some((index, result)) = results.next().await {
        found.push(format!("{index}: {:?}", result.ok()));
        if pause && found.len() == 1 {
            quadruple(100).await?;
        }
    }
    assert!(results.next().await.is_none(), "it stays at its end");
    Ok(found)
}

#[test]
fn bounded_as_completed_starts_the_limit_and_one_more_for_each_result() {
    check::<few_in_turn>(
        history![],
        history![ExecutionStarted("few_in_turn", "[5,2,false]");],
        expect![[r#"
            schedule 0 quadruple(0)
            schedule 1 quadruple(1)
            waiting"#]],
    );
    check::<few_in_turn>(
        history![
            ExecutionStarted("few_in_turn", "[5,2,false]");
            TaskScheduled(0, "quadruple");
            TaskScheduled(1, "quadruple");
        ],
        history![TaskCompleted(1, "3"); TaskFailed(0, "broken");],
        expect![[r#"
            schedule 2 quadruple(2)
            schedule 3 quadruple(3)
            waiting"#]],
    );
}

#[test]
fn bounded_as_completed_yields_in_completion_order() {
    check::<few_in_turn>(
        history![
            ExecutionStarted("few_in_turn", "[3,2,false]");
            TaskScheduled(0, "quadruple");
            TaskScheduled(1, "quadruple");
            TaskCompleted(1, "3");
            TaskScheduled(2, "quadruple");
            TaskCompleted(2, "6");
        ],
        history![TaskCompleted(0, "0");],
        expect![[r#"completed ["1: Some(3)","2: Some(6)","0: Some(0)"]"#]],
    );
}

#[test]
fn bounded_as_completed_starts_nothing_while_another_future_is_awaited() {
    check::<few_in_turn>(
        history![
            ExecutionStarted("few_in_turn", "[4,2,true]");
            TaskScheduled(0, "quadruple");
            TaskScheduled(1, "quadruple");
            TaskCompleted(0, "0");
            TaskScheduled(2, "quadruple");
            TaskScheduled(3, "quadruple");
        ],
        history![TaskCompleted(1, "3");],
        expect!["waiting"],
    );
}

#[test]
fn bounded_as_completed_treats_zero_as_one_and_nothing_as_finished() {
    check::<few_in_turn>(
        history![],
        history![ExecutionStarted("few_in_turn", "[2,0,false]");],
        expect![[r#"
            schedule 0 quadruple(0)
            waiting"#]],
    );
    check::<few_in_turn>(
        history![],
        history![ExecutionStarted("few_in_turn", "[0,2,false]");],
        expect!["completed []"],
    );
}

/// Calls that are done on their first poll.
#[orchestrator(crate = crate)]
async fn few_ready(ctx: &OrchestrationContext) -> Result<Vec<u32>> {
    let blocks = (0..6).map(|n| async move {
        if n % 2 == 0 { Result::<u32>::Ok(n) } else { Ok(quadruple(n).await?) }
    });
    crate::try_join_all(blocks).at_most(2).await
}

#[test]
fn a_call_that_is_done_on_its_first_poll_makes_room_for_the_next() {
    check::<few_ready>(
        history![],
        history![ExecutionStarted("few_ready", "null");],
        expect![[r#"
            schedule 0 quadruple(1)
            schedule 1 quadruple(3)
            waiting"#]],
    );
}

#[orchestrator(crate = crate)]
async fn try_few(ctx: &OrchestrationContext, count: u32, at_most: usize) -> Result<Vec<u32>> {
    Ok(crate::try_join_all((0..count).map(quadruple)).at_most(at_most).await?)
}

#[test]
fn a_failure_cancels_open_calls_and_starts_no_more() {
    check::<try_few>(
        history![
            ExecutionStarted("try_few", "[9,2]");
            TaskScheduled(0, "quadruple");
            TaskScheduled(1, "quadruple");
            TaskCompleted(0, "0");
            TaskScheduled(2, "quadruple");
        ],
        history![TaskFailed(1, "broken");],
        expect![[r#"
            cancel 2
            failed activity `quadruple` failed: broken"#]],
    );
}

#[test]
fn bounded_try_join_all_completes_with_the_last_call() {
    check::<try_few>(
        history![
            ExecutionStarted("try_few", "[3,1]");
            TaskScheduled(0, "quadruple");
            TaskCompleted(0, "0");
            TaskScheduled(1, "quadruple");
            TaskCompleted(1, "3");
            TaskScheduled(2, "quadruple");
        ],
        history![TaskCompleted(2, "6");],
        expect!["completed [0,3,6]"],
    );
}

#[test]
fn as_completed_and_at_most_give_the_same_in_every_replay() {
    check_every_cut::<in_turn>("[7,true]");
    check_every_cut::<in_turn>("[7,false]");
    check_every_cut::<impatient>("null");
    check_every_cut::<few>("[9,4]");
    check_every_cut::<try_few>("[9,1]");
    check_every_cut::<few_ready>("null");
}

thread_local! {
    static POLLS: Cell<usize> = const { Cell::new(0) };
}

/// Counts its polls.
struct Counted<F>(Pin<Box<F>>);

impl<F> crate::task::Durable for Counted<F> {}

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        POLLS.set(POLLS.get() + 1);
        self.0.as_mut().poll(cx)
    }
}

#[orchestrator(crate = crate)]
async fn counted_in_turn(ctx: &OrchestrationContext, count: u32) -> usize {
    let calls = (0..count).map(|n| Counted(Box::pin(quadruple(n).into_future())));
    let mut results = crate::as_completed(calls);
    let mut seen = 0;
    while let Some((index, _)) = results.next().await {
        seen += usize::from(index == seen);
    }
    seen
}

#[orchestrator(crate = crate)]
async fn counted_few(ctx: &OrchestrationContext, count: u32) -> usize {
    let calls = (0..count).map(|n| Counted(Box::pin(quadruple(n).into_future())));
    crate::join_all(calls).at_most(100).await.len()
}

#[orchestrator(crate = crate)]
async fn counted_few_in_turn(ctx: &OrchestrationContext, count: u32) -> usize {
    let calls = (0..count).map(|n| Counted(Box::pin(quadruple(n).into_future())));
    let mut results = crate::as_completed(calls).at_most(100);
    let mut seen = 0;
    while let Some((index, _)) = results.next().await {
        seen += usize::from(index == seen);
    }
    seen
}

const MANY: u16 = 10_000;

/// Runs an execution of many children to its end, one result at a time; returns how often children
/// were polled.
#[track_caller]
fn polls_of_many<O: Definition>() -> usize {
    let mut execution = replayed::<O>(&[]).unwrap();
    let start = super::event::ExecutionStarted(O::ENTRY.name, &MANY.to_string()).1;
    POLLS.set(0);
    let mut last = execution.run(at(0), vec![start]);
    for id in 0..MANY {
        let event = EventKind::task_result(i32::from(id), Ok(json("0")));
        last = execution.run(at(usize::from(id)), vec![event]);
    }
    let last = last.unwrap();
    assert_eq!(last.outcome, Outcome::Finished(RuntimeStatus::Completed));
    assert_eq!(describe(&Episode { actions: Vec::new(), ..last }), format!("completed {MANY}"));
    POLLS.get()
}

#[test]
fn as_completed_polls_each_of_ten_thousand_twice() {
    assert_eq!(polls_of_many::<counted_in_turn>(), 2 * usize::from(MANY));
}

#[test]
fn at_most_a_hundred_polls_each_of_ten_thousand_twice() {
    assert_eq!(polls_of_many::<counted_few>(), 2 * usize::from(MANY));
}

#[test]
fn bounded_as_completed_polls_each_of_ten_thousand_twice() {
    assert_eq!(polls_of_many::<counted_few_in_turn>(), 2 * usize::from(MANY));
}

#[test]
fn at_most_a_hundred_of_ten_thousand_are_open_at_any_time() {
    let mut execution = replayed::<counted_few>(&[]).unwrap();
    let start = super::event::ExecutionStarted("counted_few", &MANY.to_string()).1;
    let mut episode = execution.run(at(0), vec![start]).unwrap();
    let mut open = Vec::new();
    let mut ended: usize = 0;
    loop {
        open.extend(episode.actions.iter().map(|action| match action {
            Action::ScheduleTask(task) => task.event_id,
            other => panic!("only activities are asked for: {other:?}"),
        }));
        assert_eq!(open.len(), (usize::from(MANY) - ended).min(100));
        // The call that was scheduled last ends first.
        let Some(id) = open.pop() else { break };
        ended += 1;
        episode =
            execution.run(at(ended), vec![EventKind::task_result(id, Ok(json("0")))]).unwrap();
    }
    assert_eq!(ended, usize::from(MANY));
}

/// Polls a future once, outside an orchestrator.
fn polled<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn combinators_do_not_panic_outside_an_orchestrator() {
    let Poll::Ready(Race2::First(Err(failed))) = polled(crate::race((quadruple(1), quadruple(2))))
    else {
        panic!("a call fails there")
    };
    assert!(failed.to_string().contains("outside of an orchestrator"), "{failed}");
    let Poll::Ready(Some((Err(_), 0, others))) = polled(crate::select_all((0..3).map(quadruple)))
    else {
        panic!("the first fails")
    };
    assert_eq!(others.len(), 2);
    let mut results = crate::as_completed((0..2).map(quadruple));
    assert!(matches!(polled(results.next()), Poll::Ready(Some((0, Err(_))))));
    assert!(matches!(polled(results.next()), Poll::Ready(Some((1, Err(_))))));
    assert!(matches!(polled(results.next()), Poll::Ready(None)));
    let all = polled(crate::join_all((0..9).map(quadruple)).at_most(2));
    assert!(matches!(all, Poll::Ready(results) if results.len() == 9));
    let tried = polled(crate::try_join_all((0..9).map(quadruple)).at_most(2));
    assert!(matches!(tried, Poll::Ready(Err(_))));
}

#[test]
fn no_call_is_started_after_one_that_fails_on_its_first_poll() {
    POLLS.set(0);
    let calls = (0..9).map(|n| Counted(Box::pin(quadruple(n).into_future())));
    assert!(matches!(polled(crate::try_join_all(calls)), Poll::Ready(Err(_))));
    assert_eq!(POLLS.get(), 1);
}

#[test]
fn a_finished_call_is_not_polled_again() {
    let mut context = Context::from_waker(Waker::noop());
    POLLS.set(0);
    let mut race = crate::race((
        Counted(Box::pin(pending::<u32>())),
        Counted(Box::pin(ready(1))),
        Counted(Box::pin(ready(2))),
    ));
    assert!(matches!(Pin::new(&mut race).poll(&mut context), Poll::Ready(Race3::Second(1))));
    assert!(Pin::new(&mut race).poll(&mut context).is_pending());
    assert_eq!(POLLS.get(), 2, "the third was not begun, and after the end nobody is polled");
}
