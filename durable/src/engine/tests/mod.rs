//! History in, outcome out: the outcome of a history and the events that follow it.
//!
//! A history is written as [`history!`] lines, one event each, and the outcome is compared with
//! text. Nothing here has a store, a runtime or a clock.

mod anew;
mod children;
mod combinators;
mod event;
mod events;
mod everything;
mod fan_out;
mod joins;
mod limits;
mod nondeterminism;
mod races;
mod replay;
mod retries;
mod rewinds;
mod suspensions;
mod targets;
mod timers;

use std::fmt::Write;

use expect_test::Expect;

use super::{Action, Episode, Execution, Identity, Outcome};
use crate::definition::Definition;
use crate::limits::Limits;
use crate::protocol::{
    EventKind, ExecutionId, HistoryEvent, InstanceId, Json, Suspension, Timestamp,
};
use crate::registry::Registry;

/// Microseconds since 1970 at which test histories begin: 2026-01-04T00:00:00Z.
const BEGINNING: i64 = 1_767_484_800_000_000;

/// Writes a history. Event `n` has the timestamp of the `n`-th second.
macro_rules! history {
    ($($kind:ident $(($($argument:expr),*))?;)*) => {
        $crate::engine::tests::numbered(vec![
            $($crate::engine::tests::event::$kind($($($argument),*)?)),*
        ])
    };
}
pub(crate) use history;

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn at(second: usize) -> Timestamp {
    let micros = i64::try_from(second).unwrap() * 1_000_000;
    Timestamp::from_micros(BEGINNING + micros).unwrap()
}

fn numbered(kinds: Vec<(i32, EventKind)>) -> Vec<HistoryEvent> {
    let number =
        |(second, (event_id, kind))| HistoryEvent { event_id, timestamp: at(second), kind };
    kinds.into_iter().enumerate().map(number).collect()
}

/// A fresh execution of `O`.
fn new_execution<O: Definition>(limits: Limits) -> Execution {
    let mut registry = Registry::default();
    registry.add(&O::ENTRY).unwrap();
    let id = InstanceId::new("order-17").unwrap();
    let identity = Identity {
        name: O::ENTRY.name,
        version: O::ENTRY.version,
        instance_id: &id,
        execution_id: ExecutionId::from_u128(7),
        created_at: at(0),
        limits,
    };
    Execution::new(&registry, identity).unwrap()
}

/// An execution of `O` that has replayed `past`.
fn replayed<O: Definition>(past: &[HistoryEvent]) -> Result<Execution, Suspension> {
    let mut execution = new_execution::<O>(Limits::default());
    execution.replay(past)?;
    execution.catch_up()?;
    Ok(execution)
}

/// The episode in which `new` arrives after `past`, one second later.
#[expect(clippy::needless_pass_by_value, reason = "so that histories can be written in place")]
fn after<O: Definition>(
    past: Vec<HistoryEvent>,
    new: Vec<HistoryEvent>,
) -> Result<Option<Episode>, Suspension> {
    let (now, new) = (at(past.len()), new.into_iter().map(|event| event.kind).collect());
    replayed::<O>(&past).map(|mut execution| execution.run(now, new))
}

/// The events of that episode: arrivals, requests and the end.
#[track_caller]
#[expect(
    clippy::needless_pass_by_value,
    reason = "so that what is expected can be written in place"
)]
fn check_events<O: Definition>(past: Vec<HistoryEvent>, new: Vec<HistoryEvent>, expected: Expect) {
    crate::panics::note_places();
    let episode = after::<O>(past, new).unwrap().unwrap();
    let lines: Vec<String> = episode.events.iter().filter_map(line).collect();
    expected.assert_eq(&lines.join("\n"));
}

/// Compares a whole history with a second run (DURABLE0104).
#[track_caller]
#[expect(
    clippy::needless_pass_by_value,
    reason = "so that what is expected can be written in place"
)]
fn check_verified<O: Definition>(history: &[HistoryEvent], expected: Expect) {
    let verified = new_execution::<O>(Limits::default()).verify(history);
    let text = verified.map_or_else(|suspension| suspension.reason, |()| "the same".to_owned());
    expected.assert_eq(&without_lines(&text));
}

/// Replays `past` with `O`, then delivers `new` in one episode.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "so that histories can be written in place")]
fn check<O: Definition>(past: Vec<HistoryEvent>, new: Vec<HistoryEvent>, expected: Expect) {
    crate::panics::note_places();
    let episode = after::<O>(past, new);
    expected.assert_eq(&without_lines(&match episode {
        Ok(Some(episode)) => describe(&episode),
        Ok(None) => "nothing happens".to_owned(),
        Err(suspension) => suspension.reason,
    }));
}

/// Removes the line numbers of these tests from a text, because they change.
fn without_lines(text: &str) -> String {
    let mut parts = text.split(".rs:");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let ours = kept.contains("engine/tests/");
        let rest = if ours { part.trim_start_matches(|c: char| c.is_ascii_digit()) } else { part };
        kept += ".rs:";
        kept += if ours { "N" } else { "" };
        kept += rest;
    }
    kept
}

/// An episode as text, with one line per effect.
fn describe(episode: &Episode) -> String {
    let mut text = String::new();
    for action in &episode.actions {
        match action {
            Action::ScheduleTask(task) => {
                write!(text, "schedule {} {}({})", task.event_id, task.name, task.input).unwrap();
                match task.attempt.number {
                    1 => writeln!(text).unwrap(),
                    attempt => writeln!(text, ", attempt {attempt}").unwrap(),
                }
            }
            Action::CancelTask { event_id } => writeln!(text, "cancel {event_id}").unwrap(),
            Action::StartOrchestration { instance_id, started } => {
                writeln!(text, "start {} ({}) as {instance_id}", started.name, started.input)
                    .unwrap();
            }
            Action::TerminateOrchestration { instance_id, event_id } => {
                writeln!(text, "terminate {event_id} {instance_id}").unwrap();
            }
            Action::SendEvent { instance_id, name, input } => {
                writeln!(text, "send {name}({input}) to {instance_id}").unwrap();
            }
            Action::CallEntity { task, asked, .. } => {
                writeln!(text, "call {task} {asked:?}").unwrap();
            }
            Action::SignalEntity { asked, at } => {
                writeln!(text, "signal {asked:?} {at:?}").unwrap();
            }
            Action::LockEntities { lock, lock_set } => {
                writeln!(text, "lock {lock} {lock_set:?}").unwrap();
            }
            Action::UnlockEntities { lock, lock_set, granted } => {
                let how = if *granted { "at once" } else { "one after another" };
                writeln!(text, "unlock {lock} {lock_set:?} {how}").unwrap();
            }
        }
    }
    let outcome = match &episode.outcome {
        Outcome::Waiting => "waiting".to_owned(),
        Outcome::ContinuedAsNew(anew) => {
            let unread: Vec<_> = anew
                .unread
                .iter()
                .map(|event| format!("{}({})", event.name, event.input))
                .collect();
            let (input, unread) = (&anew.next.input, unread.join(", "));
            format!("continued as new with {input}, unread: [{unread}]")
        }
        Outcome::Suspended(suspension) => suspension.reason.clone(),
        Outcome::Finished(_) => episode.events.iter().rev().find_map(end).unwrap(),
    };
    text + &outcome
}

/// An event as a line of text; `None` for the start and end of an episode.
fn line(event: &HistoryEvent) -> Option<String> {
    let id = event.event_id;
    Some(match &event.kind {
        EventKind::OrchestratorStarted | EventKind::OrchestratorCompleted => return None,
        EventKind::TaskScheduled { name, input, .. } => format!("{id} activity {name}({input})"),
        EventKind::TaskCompleted { task_scheduled_id, result, .. }
        | EventKind::SubOrchestrationInstanceCompleted { task_scheduled_id, result } => {
            format!("{task_scheduled_id} completed {result}")
        }
        EventKind::TaskFailed { task_scheduled_id, failure, .. }
        | EventKind::SubOrchestrationInstanceFailed { task_scheduled_id, failure } => {
            format!("{task_scheduled_id} failed: {failure}")
        }
        EventKind::TaskAttemptFailed { task_scheduled_id, attempt, failure, retry_at, .. } => {
            format!("{task_scheduled_id} attempt {attempt} failed: {failure}, again {retry_at}")
        }
        EventKind::SubOrchestrationInstanceCreated {
            instance_id, name, input, detached, ..
        } => {
            let detached = if *detached { ", detached" } else { "" };
            format!("{id} orchestration {name}({input}) as {instance_id}{detached}")
        }
        EventKind::TimerCreated { fire_at, .. } => format!("{id} timer {fire_at}"),
        EventKind::TimerFired { timer_id, fire_at } => format!("{timer_id} fired {fire_at}"),
        EventKind::EventSent { instance_id, name, input, .. } => {
            format!("{id} event {name}({input}) to {instance_id}")
        }
        EventKind::EventRaised { name, input } => format!("raised {name}({input})"),
        kind => return end(event).or_else(|| Some(kind.type_name().to_owned())),
    })
}

fn end(event: &HistoryEvent) -> Option<String> {
    match &event.kind {
        EventKind::ExecutionCompleted { status, result, failure } => Some(format!(
            "{} {}",
            status.to_string().to_lowercase(),
            result.as_ref().map_or_else(String::new, ToString::to_string)
                + &failure.as_ref().map_or_else(String::new, ToString::to_string)
        )),
        _ => None,
    }
}
