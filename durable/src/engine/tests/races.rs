//! Races and selections: the order of the history decides, and what happens to the losers.

use expect_test::expect;

use super::{at, check, history, replayed};
use crate::definition::Definition;
use crate::engine::{Action, Outcome};
use crate::protocol::EventKind;
use crate::task::{Race2, Race3};
use crate::{OrchestrationContext, Result, activity, orchestrator};

#[activity(crate = crate)]
async fn triple(n: u32) -> Result<u32> {
    Ok(3 * n)
}

/// Drops the loser and schedules one more call, whose id is checked.
#[orchestrator(crate = crate)]
async fn raced(ctx: &OrchestrationContext) -> Result<String> {
    let winner = match crate::race((triple(1), triple(2))).await {
        Race2::First(result) => format!("first {}", result?),
        Race2::Second(result) => format!("second {}", result?),
    };
    Ok(format!("{winner}, then {}", triple(3).await?))
}

#[test]
fn a_race_schedules_all_at_once_in_order() {
    check::<raced>(
        history![],
        history![ExecutionStarted("raced", "null");],
        expect![[r#"
            schedule 0 triple(1)
            schedule 1 triple(2)
            waiting"#]],
    );
}

#[test]
fn a_race_is_won_by_the_second_if_it_is_done_first() {
    check::<raced>(
        history![
            ExecutionStarted("raced", "null");
            TaskScheduled(0, "triple");
            TaskScheduled(1, "triple");
        ],
        history![TaskCompleted(1, "6");],
        expect![[r#"
            cancel 0
            schedule 2 triple(3)
            waiting"#]],
    );
}

#[test]
fn a_race_is_decided_by_the_order_of_the_history() {
    check::<raced>(
        history![
            ExecutionStarted("raced", "null");
            TaskScheduled(0, "triple");
            TaskScheduled(1, "triple");
            TaskCompleted(1, "6");
            TaskScheduled(2, "triple");
            TaskCompleted(0, "3");
        ],
        history![TaskCompleted(2, "9");],
        expect![[r#"completed "second 6, then 9""#]],
    );
}

#[test]
fn results_of_one_episode_decide_a_race_by_their_order() {
    check::<raced>(
        history![
            ExecutionStarted("raced", "null");
            TaskScheduled(0, "triple");
            TaskScheduled(1, "triple");
        ],
        history![TaskCompleted(1, "6"); TaskCompleted(0, "3");],
        expect![[r#"
            cancel 0
            schedule 2 triple(3)
            waiting"#]],
    );
}

#[test]
fn a_failure_wins_a_race_too_and_the_loser_is_cancelled() {
    check::<raced>(
        history![
            ExecutionStarted("raced", "null");
            TaskScheduled(0, "triple");
            TaskScheduled(1, "triple");
        ],
        history![TaskFailed(0, "broken");],
        expect![[r#"
            cancel 1
            failed activity `triple` failed: broken"#]],
    );
}

/// The second call is done when the race begins; the third is never scheduled.
#[orchestrator(crate = crate)]
async fn decided(ctx: &OrchestrationContext) -> Result<String> {
    let winner = crate::race((triple(1), async { "a block" }, triple(2))).await;
    let Race3::Second(winner) = winner else { return Ok("a call".to_owned()) };
    Ok(format!("{winner}, then {}", triple(3).await?))
}

#[test]
fn an_unrecorded_loser_leaves_no_action() {
    check::<decided>(
        history![],
        history![ExecutionStarted("decided", "null");],
        expect![[r#"
            schedule 1 triple(3)
            waiting"#]],
    );
}

#[test]
fn a_race_that_was_decided_at_its_beginning_is_replayed() {
    check::<decided>(
        history![ExecutionStarted("decided", "null"); TaskScheduled(1, "triple");],
        history![TaskCompleted(1, "9");],
        expect![[r#"completed "a block, then 9""#]],
    );
}

/// Async blocks of several steps and groups, as children of nested races.
#[orchestrator(crate = crate)]
async fn relay(ctx: &OrchestrationContext) -> Result<String> {
    let chain = |n: u32| async move { Result::<u32>::Ok(triple(triple(n).await?).await?) };
    let pair = crate::try_join_all([triple(10), triple(20)]);
    Ok(match crate::race((crate::race((chain(1), pair)), chain(2))).await {
        Race2::First(Race2::First(sum)) => format!("inner chain {}", sum?),
        Race2::First(Race2::Second(pair)) => format!("pair {:?}", pair?),
        Race2::Second(sum) => format!("outer chain {}", sum?),
    })
}

#[test]
fn an_async_block_in_a_race_takes_its_next_step() {
    check::<relay>(
        history![
            ExecutionStarted("relay", "null");
            TaskScheduled(0, "triple");
            TaskScheduled(1, "triple");
            TaskScheduled(2, "triple");
            TaskScheduled(3, "triple");
        ],
        history![TaskCompleted(3, "6"); TaskCompleted(1, "30");],
        expect![[r#"
            schedule 4 triple(6)
            waiting"#]],
    );
}

#[test]
fn a_winning_async_block_cancels_the_tasks_of_the_losers() {
    check::<relay>(
        history![
            ExecutionStarted("relay", "null");
            TaskScheduled(0, "triple");
            TaskScheduled(1, "triple");
            TaskScheduled(2, "triple");
            TaskScheduled(3, "triple");
            TaskCompleted(3, "6");
            TaskScheduled(4, "triple");
            TaskCompleted(1, "30");
        ],
        history![TaskCompleted(4, "18");],
        expect![[r#"
            cancel 0
            cancel 2
            completed "outer chain 18""#]],
    );
}

#[test]
fn a_group_wins_a_race_when_all_its_members_are_done() {
    check::<relay>(
        history![
            ExecutionStarted("relay", "null");
            TaskScheduled(0, "triple");
            TaskScheduled(1, "triple");
            TaskScheduled(2, "triple");
            TaskScheduled(3, "triple");
            TaskCompleted(2, "60");
        ],
        history![TaskCompleted(1, "30");],
        expect![[r#"
            cancel 0
            cancel 3
            completed "pair [30, 60]""#]],
    );
}

#[orchestrator(crate = crate)]
async fn race_of_eight(ctx: &OrchestrationContext) -> String {
    let all =
        (triple(0), triple(1), triple(2), triple(3), triple(4), triple(5), triple(6), triple(7));
    format!("{:?}", crate::race(all).await)
}

#[test]
fn a_race_of_eight_names_its_winner() {
    check::<race_of_eight>(
        history![
            ExecutionStarted("race_of_eight", "null");
            TaskScheduled(0, "triple");
            TaskScheduled(1, "triple");
            TaskScheduled(2, "triple");
            TaskScheduled(3, "triple");
            TaskScheduled(4, "triple");
            TaskScheduled(5, "triple");
            TaskScheduled(6, "triple");
            TaskScheduled(7, "triple");
        ],
        history![TaskCompleted(7, "21"); TaskCompleted(0, "0");],
        expect![[r#"
            cancel 0
            cancel 1
            cancel 2
            cancel 3
            cancel 4
            cancel 5
            cancel 6
            completed "Eighth(Ok(21))""#]],
    );
}

/// Takes the first result repeatedly, until it has `enough`.
#[orchestrator(crate = crate)]
async fn quickest(ctx: &OrchestrationContext, count: u32, enough: usize) -> Result<Vec<String>> {
    let mut tasks: Vec<_> = (0..count).map(|n| triple(n).spawn()).collect();
    let mut found = Vec::new();
    while let Some((result, index, others)) = crate::select_all(tasks).await {
        found.push(format!("{} at {index} before {}", result?, others.len()));
        if found.len() == enough {
            break;
        }
        tasks = others;
    }
    Ok(found)
}

#[test]
fn select_all_can_be_repeated_with_the_rest() {
    check::<quickest>(
        history![
            ExecutionStarted("quickest", "[3,9]");
            TaskScheduled(0, "triple");
            TaskScheduled(1, "triple");
            TaskScheduled(2, "triple");
            TaskCompleted(1, "3");
        ],
        history![TaskCompleted(2, "6"); TaskCompleted(0, "0");],
        expect![[r#"completed ["3 at 1 before 2","6 at 1 before 1","0 at 0 before 0"]"#]],
    );
}

#[test]
fn the_rest_of_select_all_runs_until_it_is_dropped() {
    check::<quickest>(
        history![
            ExecutionStarted("quickest", "[3,2]");
            TaskScheduled(0, "triple");
            TaskScheduled(1, "triple");
            TaskScheduled(2, "triple");
        ],
        history![TaskCompleted(2, "6"); TaskCompleted(0, "0");],
        expect![[r#"
            cancel 1
            completed ["6 at 2 before 2","0 at 0 before 1"]"#]],
    );
}

#[test]
fn select_all_of_nothing_gives_none() {
    check::<quickest>(
        history![],
        history![ExecutionStarted("quickest", "[0,1]");],
        expect!["completed []"],
    );
}

/// Joins the rest of a selection later; part of it completes in the meantime.
#[orchestrator(crate = crate)]
async fn selection(ctx: &OrchestrationContext) -> Result<Vec<u32>> {
    let chain = |n: u32| async move { Result::<u32>::Ok(triple(triple(n).await?).await?) };
    let Some((first, _, others)) = crate::select_all((0..3).map(chain)).await else {
        return Ok(Vec::new());
    };
    let between = triple(first?).await?;
    let mut all = crate::try_join_all(others).await?;
    all.push(between);
    Ok(all)
}

#[test]
fn the_rest_of_select_all_can_be_joined() {
    check::<selection>(
        history![
            ExecutionStarted("selection", "null");
            TaskScheduled(0, "triple");
            TaskScheduled(1, "triple");
            TaskScheduled(2, "triple");
            TaskCompleted(1, "3");
            TaskScheduled(3, "triple");
            TaskCompleted(3, "9");
            TaskScheduled(4, "triple");
            TaskCompleted(2, "6");
            TaskCompleted(4, "27");
            TaskScheduled(5, "triple");
            TaskCompleted(0, "0");
            TaskScheduled(6, "triple");
        ],
        history![TaskCompleted(5, "1"); TaskCompleted(6, "2");],
        expect!["completed [2,1,27]"],
    );
}

/// Runs an orchestrator to its end, two results an episode, beside one that is replayed from the
/// history before every episode; once with results in reverse order of the calls, once in order.
#[track_caller]
pub(super) fn check_every_cut<O: Definition>(input: &str) {
    for last_first in [true, false] {
        let mut live = replayed::<O>(&[]).unwrap();
        let mut past = Vec::new();
        let mut open = Vec::new();
        let mut new = vec![super::event::ExecutionStarted(O::ENTRY.name, input).1];
        loop {
            let from_history = replayed::<O>(&past).unwrap().run(at(past.len()), new.clone());
            let episode = live.run(at(past.len()), new).unwrap();
            assert_eq!(from_history.as_ref(), Some(&episode));
            past.extend(episode.events);
            for action in episode.actions {
                match action {
                    Action::ScheduleTask(task) => open.push(task.event_id),
                    Action::CancelTask { event_id } => open.retain(|open| *open != event_id),
                    other => panic!("only activities are asked for: {other:?}"),
                }
            }
            if episode.outcome != Outcome::Waiting {
                assert!(matches!(episode.outcome, Outcome::Finished(_)), "{:?}", episode.outcome);
                break;
            }
            let mut next =
                || if last_first { open.pop() } else { (!open.is_empty()).then(|| open.remove(0)) };
            let ended = [next(), next()].into_iter().flatten();
            let result = |id: i32| EventKind::task_result(id, Ok(super::json(&id.to_string())));
            new = ended.map(result).collect();
        }
        let mut again = replayed::<O>(&past).unwrap();
        assert_eq!(again.run(at(past.len()), Vec::new()), None);
    }
}

#[test]
fn the_winner_is_the_same_in_every_replay() {
    check_every_cut::<raced>("null");
    check_every_cut::<decided>("null");
    check_every_cut::<relay>("null");
    check_every_cut::<race_of_eight>("null");
    check_every_cut::<quickest>("[7,9]");
    check_every_cut::<quickest>("[7,3]");
    check_every_cut::<selection>("null");
}
