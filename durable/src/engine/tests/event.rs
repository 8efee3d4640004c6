//! Short constructors for the events of test histories.

#![expect(non_snake_case, reason = "they are named as the events are")]

use super::{at, json};
use crate::protocol::{
    EventKind, ExecutionId, ExecutionStarted, FailureDetails, InstanceId, Json, RuntimeStatus, Tags,
};

/// An event with its id; -1 if it has none.
type Numbered = (i32, EventKind);

pub(crate) fn ExecutionStarted(name: &str, input: &str) -> Numbered {
    started(name, input, |_| ())
}

pub(crate) fn ExecutionStartedByCode(name: &str, input: &str, code_hash: u64) -> Numbered {
    started(name, input, |started| started.code_hash = Some(code_hash))
}

/// A start under the replay rules of `version`.
pub(crate) fn ExecutionStartedUnder(version: u8, name: &str, input: &str) -> Numbered {
    started(name, input, |started| started.replay_version = version)
}

/// A start that is delayed until the `second`-th second.
pub(crate) fn ExecutionStartedFor(name: &str, input: &str, second: usize) -> Numbered {
    started(name, input, |started| started.scheduled_start = Some(at(second)))
}

fn started(name: &str, input: &str, say: impl FnOnce(&mut ExecutionStarted)) -> Numbered {
    let execution_id = ExecutionId::from_u128(7);
    let mut started = ExecutionStarted::new(name, None, json(input), execution_id);
    say(&mut started);
    (-1, started.into())
}

pub(crate) fn ExecutionRewound(reason: &str) -> Numbered {
    (-1, EventKind::ExecutionRewound { reason: reason.to_owned(), start: None })
}

fn source() -> String {
    "src/shop.rs:17".to_owned()
}

pub(crate) fn TaskScheduled(id: i32, name: &str) -> Numbered {
    TaskScheduledWith(id, name, "null")
}

pub(crate) fn TaskScheduledWith(id: i32, name: &str, input: &str) -> Numbered {
    let kind = EventKind::TaskScheduled {
        name: name.to_owned(),
        version: None,
        input: json(input),
        source: Some(source()),
        tags: Tags::new(),
    };
    (id, kind)
}

pub(crate) fn TaskCompleted(id: i32, result: &str) -> Numbered {
    (-1, EventKind::task_result(id, Ok(json(result))))
}

pub(crate) fn TaskFailed(id: i32, message: &str) -> Numbered {
    let failure = FailureDetails::new("Test", message);
    (-1, EventKind::task_result(id, Err(failure)))
}

/// A failure that no policy may retry.
pub(crate) fn TaskFailedForGood(id: i32, message: &str) -> Numbered {
    let failure = FailureDetails::new("Test", message).non_retriable();
    (-1, EventKind::task_result(id, Err(failure)))
}

/// A failed attempt; the next one begins at the `second`-th second.
pub(crate) fn TaskAttemptFailed(id: i32, attempt: u32, second: usize) -> Numbered {
    let kind = EventKind::TaskAttemptFailed {
        task_scheduled_id: id,
        attempt,
        failure: FailureDetails::new("Test", "broken"),
        retry_at: at(second),
        began: None,
    };
    (-1, kind)
}

pub(crate) fn ChildCreated(id: i32, name: &str, instance_id: &str) -> Numbered {
    child(id, name, instance_id, "null", false)
}

pub(crate) fn ChildCreatedWith(id: i32, name: &str, instance_id: &str, input: &str) -> Numbered {
    child(id, name, instance_id, input, false)
}

pub(crate) fn DetachedCreated(id: i32, name: &str, instance_id: &str) -> Numbered {
    child(id, name, instance_id, "null", true)
}

fn child(id: i32, name: &str, instance_id: &str, input: &str, detached: bool) -> Numbered {
    let kind = EventKind::SubOrchestrationInstanceCreated {
        instance_id: InstanceId::new(instance_id).unwrap(),
        name: name.to_owned(),
        version: None,
        input: json(input),
        source: Some(source()),
        detached,
        tags: Tags::new(),
    };
    (id, kind)
}

pub(crate) fn ChildCompleted(id: i32, result: &str) -> Numbered {
    let result = json(result);
    (-1, EventKind::SubOrchestrationInstanceCompleted { task_scheduled_id: id, result })
}

pub(crate) fn ChildFailed(id: i32, message: &str) -> Numbered {
    let failure = FailureDetails::new("Test", message);
    (-1, EventKind::SubOrchestrationInstanceFailed { task_scheduled_id: id, failure })
}

/// A failure that no policy may retry.
pub(crate) fn ChildFailedForGood(id: i32, message: &str) -> Numbered {
    let failure = FailureDetails::new("Test", message).non_retriable();
    (-1, EventKind::SubOrchestrationInstanceFailed { task_scheduled_id: id, failure })
}

/// A timer that is due at the `second`-th second.
pub(crate) fn TimerCreated(id: i32, second: usize) -> Numbered {
    (id, EventKind::TimerCreated { fire_at: at(second), source: Some(source()) })
}

pub(crate) fn TimerFired(id: i32, second: usize) -> Numbered {
    (-1, EventKind::TimerFired { timer_id: id, fire_at: at(second) })
}

pub(crate) fn EventSent(id: i32, instance_id: &str, name: &str, input: &str) -> Numbered {
    let kind = EventKind::EventSent {
        instance_id: InstanceId::new(instance_id).unwrap(),
        name: name.to_owned(),
        input: json(input),
        source: Some(source()),
    };
    (id, kind)
}

pub(crate) fn EventRaised(name: &str, input: &str) -> Numbered {
    (-1, EventKind::EventRaised { name: name.to_owned(), input: json(input) })
}

pub(crate) fn ExecutionCompleted(status: RuntimeStatus) -> Numbered {
    (-1, EventKind::ExecutionCompleted { status, result: Some(Json::null()), failure: None })
}

pub(crate) fn OrchestratorStarted() -> Numbered {
    (-1, EventKind::OrchestratorStarted)
}

pub(crate) fn OrchestratorCompleted() -> Numbered {
    (-1, EventKind::OrchestratorCompleted)
}

pub(crate) fn ExecutionSuspended() -> Numbered {
    (-1, EventKind::ExecutionSuspended { reason: "by hand".to_owned() })
}

pub(crate) fn ExecutionResumed() -> Numbered {
    (-1, EventKind::ExecutionResumed { reason: "by hand".to_owned() })
}
