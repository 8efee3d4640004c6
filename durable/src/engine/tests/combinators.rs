//! Combinators against a model: their tasks end in a random order, and some of them fail.
//!
//! Before every episode, the live execution is compared with one that was replayed from the
//! history, so a combinator gives the same result whatever the point of the replay.

use serde::{Deserialize, Serialize};

use super::event::{ExecutionStarted, TaskFailed};
use super::{at, json, replayed};
use crate::definition::Definition;
use crate::engine::{Action, Outcome};
use crate::protocol::EventKind;
use crate::task::Race3;
use crate::{OrchestrationContext, Result, activity, chance, orchestrator};

/// Which combinator waits for the tasks.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum How {
    JoinAll,
    AtMost(usize),
    TryJoinAll,
    Join,
    Race,
    SelectAll,
    AsCompleted,
}

const ALL: [How; 8] = [
    How::JoinAll,
    How::AtMost(1),
    How::AtMost(3),
    How::TryJoinAll,
    How::Join,
    How::Race,
    How::SelectAll,
    How::AsCompleted,
];

/// The index of a task and its result: `None` if it failed.
type Ended = (usize, Option<i32>);

#[activity(crate = crate)]
async fn part(n: usize) -> Result<i32> {
    unreachable!("the test gives the result of {n}")
}

/// The results of the combinator, in the order in which it yields them.
#[orchestrator(crate = crate)]
async fn combined(ctx: &OrchestrationContext, how: How, count: usize) -> Result<Vec<Ended>> {
    let mut ended = Vec::new();
    match how {
        How::JoinAll => {
            for result in crate::join_all((0..count).map(part)).await {
                ended.push((ended.len(), result.ok()));
            }
        }
        How::AtMost(most) => {
            for result in crate::join_all((0..count).map(part)).at_most(most).await {
                ended.push((ended.len(), result.ok()));
            }
        }
        How::TryJoinAll => {
            for result in crate::try_join_all((0..count).map(part)).await? {
                ended.push((ended.len(), Some(result)));
            }
        }
        How::Join => {
            let (a, b, c) = crate::join((part(0), part(1), part(2))).await;
            ended.extend([(0, a.ok()), (1, b.ok()), (2, c.ok())]);
        }
        How::Race => ended.push(match crate::race((part(0), part(1), part(2))).await {
            Race3::First(result) => (0, result.ok()),
            Race3::Second(result) => (1, result.ok()),
            Race3::Third(result) => (2, result.ok()),
        }),
        How::SelectAll => {
            let mut tasks: Vec<_> = (0..count).map(|n| part(n).spawn()).collect();
            let mut indices: Vec<_> = (0..count).collect();
            while let Some((result, index, others)) = crate::select_all(tasks).await {
                ended.push((indices.remove(index), result.ok()));
                tasks = others;
            }
        }
        How::AsCompleted => {
            let mut results = crate::as_completed((0..count).map(part));
            while let Some((index, result)) = results.next().await {
                ended.push((index, result.ok()));
            }
        }
    }
    Ok(ended)
}

/// The expected results if the tasks ended in this order; `None` if the orchestrator fails.
fn expected(how: How, in_order: &[Ended]) -> Option<Vec<Ended>> {
    let mut by_index = in_order.to_vec();
    by_index.sort_unstable();
    match how {
        How::JoinAll | How::AtMost(_) | How::Join => Some(by_index),
        How::TryJoinAll => by_index.iter().all(|(_, result)| result.is_some()).then_some(by_index),
        How::Race => Some(vec![in_order[0]]),
        How::SelectAll | How::AsCompleted => Some(in_order.to_vec()),
    }
}

fn check(how: How, seed: u64) {
    let mut drawn = 0;
    let mut below = |limit: usize| {
        drawn += 1;
        usize::try_from(chance::number(seed, drawn) % limit as u64).unwrap()
    };
    let count = if matches!(how, How::Join | How::Race) { 3 } else { 1 + below(8) };
    let input = serde_json::to_string(&(how, count)).unwrap();
    let mut live = replayed::<combined>(&[]).unwrap();
    let (mut past, mut open, mut in_order) = (Vec::new(), Vec::new(), Vec::new());
    let mut new = vec![ExecutionStarted(combined::ENTRY.name, &input).1];
    loop {
        let from_history = replayed::<combined>(&past).unwrap().run(at(past.len()), new.clone());
        let episode = live.run(at(past.len()), new).unwrap();
        assert_eq!(from_history.as_ref(), Some(&episode), "{how:?}, seed {seed}");
        past.extend(episode.events);
        for action in episode.actions {
            match action {
                Action::ScheduleTask(task) => open.push(task.event_id),
                Action::CancelTask { event_id } => open.retain(|open| *open != event_id),
                other => panic!("only activities are requested: {other:?}"),
            }
        }
        if episode.outcome != Outcome::Waiting {
            break;
        }
        new = Vec::new();
        for _ in 0..=below(3).min(open.len() - 1) {
            let id = open.remove(below(open.len()));
            let result = (below(4) > 0).then_some(10 * id);
            in_order.push((usize::try_from(id).unwrap(), result));
            new.push(match result {
                Some(result) => EventKind::task_result(id, Ok(json(&result.to_string()))),
                None => TaskFailed(id, "broken").1,
            });
        }
    }
    let result = past.iter().find_map(|event| match &event.kind {
        EventKind::ExecutionCompleted { result, .. } => Some(result.clone()),
        _ => None,
    });
    let result = result.expect("it has completed").map(|json| json.read::<Vec<Ended>>().unwrap());
    assert_eq!(result, expected(how, &in_order), "{how:?}, seed {seed}");
}

#[test]
fn combinators_agree_with_the_model_in_any_order_and_at_any_replay_point() {
    for how in ALL {
        for seed in 0..50 {
            check(how, seed);
        }
    }
}
