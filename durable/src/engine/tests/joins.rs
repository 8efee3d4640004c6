//! `join` and `join_all`: order, errors, nesting, ten thousand children.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use expect_test::expect;

use super::{at, check, history, replayed};
use crate::engine::{Action, Outcome};
use crate::protocol::{EventKind, RuntimeStatus};
use crate::{OrchestrationContext, Result, activity, orchestrator};

#[activity(crate = crate)]
async fn double(n: u32) -> Result<u32> {
    Ok(2 * n)
}

#[orchestrator(crate = crate)]
async fn all(ctx: &OrchestrationContext, count: u32) -> Vec<Option<u32>> {
    let results = crate::join_all((0..count).map(double)).await;
    results.into_iter().map(Result::ok).collect()
}

#[test]
fn join_all_schedules_all_at_once_in_order() {
    check::<all>(
        history![],
        history![ExecutionStarted("all", "3");],
        expect![[r#"
            schedule 0 double(0)
            schedule 1 double(1)
            schedule 2 double(2)
            waiting"#]],
    );
}

#[test]
fn join_all_gives_results_in_the_order_of_the_calls() {
    check::<all>(
        history![
            ExecutionStarted("all", "3");
            TaskScheduled(0, "double");
            TaskScheduled(1, "double");
            TaskScheduled(2, "double");
            TaskCompleted(2, "22");
        ],
        history![TaskFailed(0, "no"); TaskCompleted(1, "11");],
        expect!["completed [null,11,22]"],
    );
}

#[test]
fn joining_nothing_is_done_immediately() {
    check::<all>(history![], history![ExecutionStarted("all", "0");], expect!["completed []"]);
}

#[orchestrator(crate = crate)]
async fn try_all(ctx: &OrchestrationContext, count: u32) -> Result<Vec<u32>> {
    Ok(crate::try_join_all((0..count).map(double)).await?)
}

#[test]
fn try_join_all_ends_with_the_first_failure_and_cancels_the_rest() {
    check::<try_all>(
        history![
            ExecutionStarted("try_all", "3");
            TaskScheduled(0, "double");
            TaskScheduled(1, "double");
            TaskScheduled(2, "double");
            TaskCompleted(0, "0");
        ],
        history![TaskFailed(1, "broken");],
        expect![[r#"
            cancel 2
            failed activity `double` failed: broken"#]],
    );
}

#[orchestrator(crate = crate)]
async fn pair(ctx: &OrchestrationContext) -> Result<(u32, u32)> {
    let (a, b) = crate::join((double(1), double(2))).await;
    Ok((a?, crate::try_join((double(b?), double(9))).await?.0))
}

#[test]
fn join_and_try_join_wait_for_tuples() {
    check::<pair>(
        history![
            ExecutionStarted("pair", "null");
            TaskScheduled(0, "double");
            TaskScheduled(1, "double");
            TaskCompleted(1, "4");
            TaskCompleted(0, "2");
            TaskScheduled(2, "double");
            TaskScheduled(3, "double");
            TaskCompleted(3, "18");
        ],
        history![TaskCompleted(2, "8");],
        expect!["completed [2,8]"],
    );
}

#[test]
fn try_join_ends_with_the_first_failure_and_cancels_the_rest() {
    check::<pair>(
        history![
            ExecutionStarted("pair", "null");
            TaskScheduled(0, "double");
            TaskScheduled(1, "double");
            TaskCompleted(1, "4");
            TaskCompleted(0, "2");
            TaskScheduled(2, "double");
            TaskScheduled(3, "double");
        ],
        history![TaskFailed(3, "broken");],
        expect![[r#"
            cancel 2
            failed activity `double` failed: broken"#]],
    );
}

/// Concurrent async blocks of several steps, in nested groups.
#[orchestrator(crate = crate)]
async fn nested(ctx: &OrchestrationContext) -> Result<u32> {
    let chain = |n: u32| async move { Result::<u32>::Ok(double(double(n).await?).await?) };
    let groups =
        (0..2).map(|group| crate::try_join_all((0..2).map(move |n| chain(10 * group + n))));
    let (sums, extra) = crate::try_join((crate::try_join_all(groups), chain(7))).await?;
    Ok(sums.into_iter().flatten().sum::<u32>() + extra)
}

#[test]
fn nested_groups_progress_in_any_order_of_results() {
    let mut execution = replayed::<nested>(&[]).unwrap();
    let start = super::event::ExecutionStarted("nested", "null").1;
    let mut episode = execution.run(at(0), vec![start]).unwrap();
    let mut waiting = Vec::new();
    for second in 1.. {
        waiting.extend(episode.actions.into_iter().map(|action| match action {
            Action::ScheduleTask(task) => task,
            other => panic!("only activities are asked for: {other:?}"),
        }));
        // The call that was scheduled last ends first.
        let Some(task) = waiting.pop() else { break };
        let n: u32 = task.input.as_str().parse().unwrap();
        let result = Ok(super::json(&(2 * n).to_string()));
        let event = EventKind::task_result(task.event_id, result);
        episode = execution.run(at(second), vec![event]).unwrap();
    }
    assert_eq!(episode.outcome, Outcome::Finished(RuntimeStatus::Completed));
    expect!["completed 116"]
        .assert_eq(&super::describe(&super::Episode { actions: Vec::new(), ..episode }));
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
async fn counted(ctx: &OrchestrationContext, count: u32) -> usize {
    let calls = (0..count).map(|n| Counted(Box::pin(double(n).into_future())));
    crate::join_all(calls).await.len()
}

#[test]
fn ten_thousand_children_cost_two_polls_each() {
    let count: u16 = 10_000;
    let mut execution = replayed::<counted>(&[]).unwrap();
    let start = super::event::ExecutionStarted("counted", &count.to_string()).1;
    execution.run(at(0), vec![start]).unwrap();
    POLLS.set(0);
    let mut last = None;
    for id in (0..count).rev() {
        let event = EventKind::task_result(i32::from(id), Ok(super::json("0")));
        last = execution.run(at(usize::from(id)), vec![event]);
    }
    assert_eq!(last.unwrap().outcome, Outcome::Finished(RuntimeStatus::Completed));
    assert_eq!(POLLS.get(), usize::from(count), "each child is polled once more, when it is done");
}
