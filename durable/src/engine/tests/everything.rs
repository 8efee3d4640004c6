//! All features in one orchestrator, in many orders: an execution that stays in memory and one that
//! is replayed before every episode behave the same, to the last event.

use std::time::Duration;

use super::{at, event, json, new_execution, replayed};
use crate::chance;
use crate::engine::{Action, Episode, Execution, Outcome};
use crate::limits::Limits;
use crate::protocol::{EventKind, FailureDetails, HistoryEvent};
use crate::task::{Race2, Race3};
use crate::{OrchestrationContext, Result, RetryPolicy, activity, orchestrator};

const TWICE: RetryPolicy = RetryPolicy::new(3, Duration::from_secs(2)).jitter(0.5);

#[activity(crate = crate)]
async fn step(n: u32) -> Result<u32> {
    Ok(n)
}

#[orchestrator(crate = crate)]
async fn part(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    Ok(step(n).await?)
}

#[crate::helper]
async fn dialog(ctx: &OrchestrationContext) -> Result<u32> {
    ctx.send_event("other", "question", &ctx.random_u64())?;
    let answer = ctx.wait_for_external_event::<u32>("a");
    let limit = ctx.create_timer(Duration::from_secs(3));
    Ok(match crate::race((answer, limit, step(1).retry(TWICE))).await {
        Race3::First(answer) => answer.unwrap_or(7),
        Race3::Second(()) => 8,
        Race3::Third(stepped) => stepped.unwrap_or(9),
    })
}

#[orchestrator(crate = crate)]
async fn everything(ctx: &OrchestrationContext, generation: u32) -> Result<u32> {
    ctx.set_custom_status(&ctx.new_guid().to_string())?;
    let mut sum = 0;
    let in_time = crate::timeout(Duration::from_secs(5), part(2).retry(TWICE));
    let chain = async {
        let first = step(3).await.unwrap_or(1);
        ctx.create_timer(Duration::from_millis(u64::from(first) * 100)).await;
        step(first).timeout(Duration::from_secs(4)).await.unwrap_or(2)
    };
    let (talked, parted, chained) = crate::join((dialog(ctx), in_time, chain)).await;
    sum += talked? + parted.map_or(3, |part| part.unwrap_or(4)) + chained;
    if ctx.patched("more") {
        ctx.start(part(sum))?;
        ctx.set_custom_status(&sum)?;
    }
    let mut parts = crate::as_completed((0..4).map(|n| part(n).retry(TWICE)));
    while let Some((index, part)) = parts.next().await {
        sum += u32::try_from(index)? * part.unwrap_or(5);
        if sum % 3 == 0 {
            break;
        }
    }
    drop(parts);
    let several = (0..5).map(|n| step(n).retry(TWICE));
    sum += crate::join_all(several).at_most(2).await.into_iter().flatten().sum::<u32>();
    let mut open: Vec<_> = (0..3).map(|n| step(n).spawn()).collect();
    while let Some((stepped, _, others)) = crate::select_all(open).await {
        sum += stepped.unwrap_or(6);
        if let Race2::First(()) =
            crate::race((ctx.create_timer(Duration::from_secs(1)), step(sum))).await
        {
            break;
        }
        open = others;
    }
    let entity = |key| crate::EntityId::new("purse", key).unwrap().handle();
    let called = entity("a").operation::<u32>("add", &sum).spawn();
    let _ = entity("b").operation::<u32>("add", &sum).signal();
    let wait = Duration::from_secs(1 + ctx.random_u64() % 4);
    let lock = ctx.lock_entities((entity("a"), entity("c")));
    if let Race2::First(Ok(mut section)) = crate::race((lock, ctx.create_timer(wait))).await {
        sum += section.0.operation::<u32>("get", &()).await.unwrap_or(7);
        let (a, c) = &mut *section;
        let both = (a.operation::<u32>("get", &()), c.operation::<u32>("get", &()));
        sum += crate::join(both).await.1.unwrap_or(8);
        if ctx.random_u64().is_multiple_of(2) {
            drop(section);
            step(sum).await.ok();
        }
    }
    sum += called.await.unwrap_or(9);
    if generation < 1 && (u64::from(sum) ^ ctx.random_u64()).is_multiple_of(2) {
        return ctx.continue_as_new(everything(sum)).await;
    }
    Ok(sum)
}

/// The work in flight, as a hub would know it.
#[derive(Default)]
struct World {
    activities: Vec<i32>,
    children: Vec<i32>,
    operations: Vec<i32>,
    /// Critical sections that were requested or have begun.
    sections: Vec<i32>,
    locks: Vec<i32>,
}

impl World {
    fn take_actions(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::ScheduleTask(task) => self.activities.push(task.event_id),
                Action::CancelTask { event_id } => self.activities.retain(|id| *id != event_id),
                Action::StartOrchestration { started, .. } => {
                    self.children.extend(started.parent.map(|parent| parent.task_scheduled_id));
                }
                Action::TerminateOrchestration { event_id, .. } => {
                    self.children.retain(|id| *id != event_id);
                }
                Action::CallEntity { task, .. } => self.operations.push(task),
                Action::LockEntities { lock, .. } => {
                    self.sections.push(lock);
                    self.locks.push(lock);
                }
                Action::UnlockEntities { lock, granted, .. } => {
                    assert_eq!(granted, !self.locks.contains(&lock), "an unlock of {lock}");
                    assert!(self.sections.contains(&lock), "a second unlock of {lock}");
                    self.sections.retain(|id| *id != lock);
                }
                Action::SendEvent { .. } | Action::SignalEntity { .. } => {}
            }
        }
    }

    /// Up to three random arrivals.
    fn happenings(&mut self, mut chance: impl FnMut(usize) -> usize) -> Vec<EventKind> {
        let mut happened = Vec::new();
        for _ in 0..chance(4) {
            let failure = FailureDetails::new("Test", "broken");
            let result = if chance(3) == 0 { Err(failure) } else { Ok(json("2")) };
            match chance(7) {
                5 if !self.operations.is_empty() => {
                    let id = self.operations.swap_remove(chance(self.operations.len()));
                    happened.push(EventKind::operation_result(id, result));
                }
                6 if !self.locks.is_empty() => {
                    let task_scheduled_id = self.locks.remove(0);
                    happened.push(EventKind::EntityLockGranted { task_scheduled_id });
                }
                0 => happened.push(EventKind::EventRaised {
                    name: ["a", "A", "b"][chance(3)].to_owned(),
                    input: json(["1", r#""text""#][chance(2)]),
                }),
                1 | 2 if !self.children.is_empty() => {
                    let id = self.children.swap_remove(chance(self.children.len()));
                    happened.push(EventKind::child_result(id, result));
                }
                _ if !self.activities.is_empty() => {
                    let id = self.activities.swap_remove(chance(self.activities.len()));
                    happened.push(EventKind::task_result(id, result));
                }
                // An old result arrives again.
                _ => happened.push(EventKind::task_result(0, result)),
            }
        }
        happened
    }
}

fn assert_same(live: &Execution, again: &Execution, seed: u64) {
    assert_eq!(live.next_due(), again.next_due(), "seed {seed}");
    assert_eq!(live.running_tasks(), again.running_tasks(), "seed {seed}");
    assert_eq!(live.open_children(), again.open_children(), "seed {seed}");
    assert_eq!(live.has_running_activities(), again.has_running_activities(), "seed {seed}");
    let status = |execution: &Execution| format!("{:?}", execution.custom_status());
    assert_eq!(status(live), status(again), "seed {seed}");
}

/// Runs once to the end; returns the history and the outcome.
fn run(seed: u64) -> (Vec<HistoryEvent>, Outcome) {
    let mut number = 0;
    let mut chance = |below: usize| {
        number += 1;
        usize::try_from(chance::number(seed, number) % (below as u64)).unwrap()
    };
    let mut live = new_execution::<everything>(Limits::default());
    let (mut past, mut world) = (Vec::new(), World::default());
    let mut new = vec![event::ExecutionStarted("everything", "0").1];
    for second in 0..10_000 {
        let mut again = replayed::<everything>(&past).unwrap_or_else(|suspension| {
            panic!("seed {seed}: {}", suspension.reason);
        });
        if second > 0 {
            // The start of a due attempt is not recorded, so the replayed execution repeats it.
            let begun = again.run(at(second - 1), Vec::new());
            assert!(begun.is_none_or(|episode| episode.events.is_empty()), "seed {seed}");
            assert_same(&live, &again, seed);
        }
        let from_history = again.run(at(second), new.clone());
        let episode = live.run(at(second), new);
        assert_eq!(from_history, episode, "seed {seed}, second {second}");
        if let Some(Episode { events, actions, outcome }) = episode {
            past.extend(events);
            world.take_actions(actions);
            if outcome != Outcome::Waiting {
                return (past, outcome);
            }
        }
        new = world.happenings(&mut chance);
    }
    panic!("seed {seed}: no end");
}

#[test]
fn live_and_replayed_executions_agree_at_every_cut() {
    let mut generations = 0;
    for seed in 0..200 {
        let (history, outcome) = run(seed);
        match outcome {
            Outcome::Finished(_) => {}
            Outcome::ContinuedAsNew(_) => generations += 1,
            other => panic!("seed {seed}: {other:?}"),
        }
        new_execution::<everything>(Limits::default())
            .verify(&history)
            .unwrap_or_else(|suspension| panic!("seed {seed}: {}", suspension.reason));
    }
    assert!((1..200).contains(&generations), "{generations} of 200 began anew");
}
