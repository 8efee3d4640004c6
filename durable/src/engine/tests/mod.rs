//! History in, outcome out: what the engine makes of a history and of what comes next.
//!
//! A history is written as [`history!`] lines, one event each, and what comes out is compared with
//! text. Nothing here has a store, a runtime or a clock.

mod fan_out;
mod joins;
mod nondeterminism;
mod races;
mod replay;

use std::fmt::Write;

use expect_test::Expect;

use super::{Action, Episode, Execution, Origin, Outcome};
use crate::limits::Limits;
use crate::protocol::{
    EventKind, ExecutionId, ExecutionStarted, FailureDetails, HistoryEvent, InstanceId, Json,
    RuntimeStatus, Suspension, Tags, Timestamp,
};
use crate::registry::{Definition, Registry};

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

/// The events of test histories, in short.
#[expect(non_snake_case, reason = "they are named as the events are")]
pub(super) mod event {
    use super::*;

    pub(crate) fn ExecutionStarted(name: &str, input: &str) -> (i32, EventKind) {
        started(name, input, None)
    }

    pub(crate) fn ExecutionStartedByCode(
        name: &str,
        input: &str,
        code_hash: u64,
    ) -> (i32, EventKind) {
        started(name, input, Some(code_hash))
    }

    fn started(name: &str, input: &str, code_hash: Option<u64>) -> (i32, EventKind) {
        let execution_id = ExecutionId::from_u128(7);
        let started = ExecutionStarted {
            code_hash,
            ..ExecutionStarted::new(name, None, json(input), execution_id)
        };
        let kind = started.into();
        (-1, kind)
    }

    pub(crate) fn TaskScheduled(id: i32, name: &str) -> (i32, EventKind) {
        let kind = EventKind::TaskScheduled {
            name: name.to_owned(),
            version: None,
            input: Json::null(),
            source: Some("src/shop.rs:17".to_owned()),
            tags: Tags::new(),
        };
        (id, kind)
    }

    pub(crate) fn TaskCompleted(id: i32, result: &str) -> (i32, EventKind) {
        (-1, EventKind::TaskCompleted { task_scheduled_id: id, result: json(result) })
    }

    pub(crate) fn TaskFailed(id: i32, message: &str) -> (i32, EventKind) {
        let failure = FailureDetails::new("Test", message);
        (-1, EventKind::TaskFailed { task_scheduled_id: id, failure })
    }

    pub(crate) fn ExecutionCompleted(status: RuntimeStatus) -> (i32, EventKind) {
        (-1, EventKind::ExecutionCompleted { status, result: Some(Json::null()), failure: None })
    }

    pub(crate) fn OrchestratorStarted() -> (i32, EventKind) {
        (-1, EventKind::OrchestratorStarted)
    }

    pub(crate) fn OrchestratorCompleted() -> (i32, EventKind) {
        (-1, EventKind::OrchestratorCompleted)
    }
}

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

/// An execution of `O` that has replayed `past`.
fn replayed<O: Definition>(past: &[HistoryEvent]) -> Result<Execution, Suspension> {
    let mut registry = Registry::default();
    registry.add(O::ENTRY).unwrap();
    let id = InstanceId::new("order-17").unwrap();
    let origin = Origin {
        name: O::ENTRY.name,
        version: O::ENTRY.version,
        instance_id: &id,
        execution_id: ExecutionId::from_u128(7),
        created_at: at(0),
        limits: Limits::default(),
    };
    let mut execution = Execution::new(&registry, origin).unwrap();
    execution.replay(past).map(|()| execution)
}

/// Replays `past` with `O`, then delivers `new` in one episode.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "so that histories can be written in place")]
fn check<O: Definition>(past: Vec<HistoryEvent>, new: Vec<HistoryEvent>, expected: Expect) {
    crate::panics::note_places();
    let now = at(past.len());
    let episode = replayed::<O>(&past)
        .map(|mut execution| execution.run(now, new.into_iter().map(|event| event.kind).collect()));
    expected.assert_eq(&without_lines(&match episode {
        Ok(Some(episode)) => describe(&episode),
        Ok(None) => "nothing happens".to_owned(),
        Err(suspension) => suspension.reason,
    }));
}

/// A text without the numbers of lines in these tests, which move.
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

/// An episode in one line for each thing that it does.
fn describe(episode: &Episode) -> String {
    let mut text = String::new();
    for action in &episode.actions {
        match action {
            Action::ScheduleTask(task) => {
                writeln!(text, "schedule {} {}({})", task.event_id, task.name, task.input).unwrap();
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
