//! The history of an instance as Durable Functions shows it: a request that was answered is merged
//! into its answer.
//!
//! The history is read twice, page by page, because a request is shown only if it has no answer,
//! and the answer comes later in the history.
//!
//! Failed attempts that are retried are omitted, because Durable Functions has no such event.

use std::collections::{BTreeMap, BTreeSet};

use durable::protocol::{EventKind, FailureDetails, HistoryEvent, Json, Timestamp};

use super::status::Show;
use crate::json::Object;
use crate::recorded::{Incomplete, Recorded};
use crate::time;

/// A request of the orchestrator, which its answer repeats.
struct Requested {
    at: Timestamp,
    name: String,
    input: Json,
}

/// The events that were read, folded.
pub(super) struct Fold {
    show: Show,
    /// The ids of all requests that have an answer.
    answered: BTreeSet<i32>,
    /// The requests that were read, but not yet their answers.
    open: BTreeMap<i32, Requested>,
}

impl Fold {
    /// Reads a history for the first time.
    pub(super) async fn new(mut history: Recorded, show: Show) -> Result<Self, Incomplete> {
        let mut answers = BTreeSet::new();
        while let Some(events) = history.page().await? {
            answers.extend(events.iter().filter_map(|event| answered(&event.kind)));
        }
        Ok(Self { show, answered: answers, open: BTreeMap::new() })
    }

    /// The event as it is shown; `None` if clients do not see it.
    pub(super) fn folded(&mut self, event: &HistoryEvent) -> Option<Object> {
        if self.answered.contains(&event.event_id)
            && let Some(requested) = requested(event)
        {
            self.open.insert(event.event_id, requested);
            return None;
        }
        let base = Object::new()
            .with("EventType", event.kind.type_name())
            .with("Timestamp", &time::dotnet(event.timestamp));
        let request = answered(&event.kind).and_then(|id| self.open.remove(&id));
        event_of(with_request(base, request.as_ref(), self.show), &event.kind, self.show)
    }
}

/// The request that an event answers.
fn answered(kind: &EventKind) -> Option<i32> {
    match kind {
        EventKind::TaskCompleted { task_scheduled_id: id, .. }
        | EventKind::TaskFailed { task_scheduled_id: id, .. }
        | EventKind::SubOrchestrationInstanceCompleted { task_scheduled_id: id, .. }
        | EventKind::SubOrchestrationInstanceFailed { task_scheduled_id: id, .. } => Some(*id),
        _ => None,
    }
}

fn requested(event: &HistoryEvent) -> Option<Requested> {
    match &event.kind {
        EventKind::TaskScheduled { name, input, .. }
        | EventKind::SubOrchestrationInstanceCreated { name, input, .. } => {
            Some(Requested { at: event.timestamp, name: name.clone(), input: input.clone() })
        }
        _ => None,
    }
}

fn with_request(base: Object, request: Option<&Requested>, show: Show) -> Object {
    let Some(Requested { at, name, input }) = request else { return base };
    let base = base.with("ScheduledTime", &time::dotnet(*at)).with("FunctionName", name);
    base.with_some("Input", show.input.then_some(&input.as_str()))
}

/// The event with its own fields; `None` if clients do not see it.
fn event_of(base: Object, kind: &EventKind, show: Show) -> Option<Object> {
    let input = |json: &Json| show.input.then(|| json.as_str().to_owned());
    let result = |json: &Json| show.history_output.then(|| json.clone());
    Some(match kind {
        EventKind::OrchestratorStarted
        | EventKind::OrchestratorCompleted
        | EventKind::TaskAttemptFailed { .. } => return None,
        EventKind::ExecutionStarted(started) => base
            .with("FunctionName", &started.name)
            .with_some("Input", input(&started.input).as_ref())
            .with_some("ScheduledStartTime", started.scheduled_start.map(time::dotnet).as_ref()),
        EventKind::ExecutionCompleted { status, result: output, failure } => {
            let base = base.with("OrchestrationStatus", status);
            let base = base.with_some("Result", output.as_ref().and_then(result).as_ref());
            base.with_some("FailureDetails", failure.as_ref().map(details).as_ref())
        }
        EventKind::TaskScheduled { name, input: given, .. } => {
            base.with("Name", name).with_some("Input", input(given).as_ref())
        }
        EventKind::SubOrchestrationInstanceCreated { instance_id, name, input: given, .. } => base
            .with("InstanceId", instance_id)
            .with("Name", name)
            .with_some("Input", input(given).as_ref()),
        EventKind::TaskCompleted { result: output, .. }
        | EventKind::SubOrchestrationInstanceCompleted { result: output, .. }
        | EventKind::EntityOperationCompleted { result: output, .. } => {
            base.with_some("Result", result(output).as_ref())
        }
        EventKind::TaskFailed { failure, .. }
        | EventKind::SubOrchestrationInstanceFailed { failure, .. }
        | EventKind::EntityOperationFailed { failure, .. } => base
            .with("Reason", &failure.message)
            .with("Details", &failure.to_string())
            .with("FailureDetails", &details(failure)),
        EventKind::TimerCreated { fire_at, .. } | EventKind::TimerFired { fire_at, .. } => {
            base.with("FireAt", &time::dotnet(*fire_at))
        }
        other => native(base, other),
    })
}

/// Events that keep their own fields.
fn native(base: Object, kind: &EventKind) -> Object {
    match kind {
        EventKind::ExecutionTerminated { reason, .. } => base.with("Input", reason),
        EventKind::ExecutionSuspended { reason }
        | EventKind::ExecutionResumed { reason }
        | EventKind::ExecutionRewound { reason, .. } => base.with("Reason", reason),
        EventKind::EventSent { instance_id, name, input, .. } => {
            base.with("InstanceId", instance_id).with("Name", name).with("Input", input.as_str())
        }
        EventKind::EventRaised { name, input } => {
            base.with("Name", name).with("Input", input.as_str())
        }
        EventKind::GenericEvent { data } => base.with("Data", data),
        EventKind::EntityOperationCalled { entity_id, operation, input, .. } => base
            .with("InstanceId", entity_id.as_str())
            .with("Name", operation)
            .with("Input", input.as_str()),
        EventKind::EntityOperationSignaled {
            entity_id, operation, input, scheduled_time, ..
        } => base
            .with("InstanceId", entity_id.as_str())
            .with("Name", operation)
            .with("Input", input.as_str())
            .with_some("ScheduledTime", scheduled_time.map(time::dotnet).as_ref()),
        EventKind::EntityLockRequested { lock_set, .. }
        | EventKind::EntityUnlockSent { lock_set, .. } => base.with("LockSet", lock_set),
        _ => base,
    }
}

/// A failure with the field names of Durable Functions.
fn details(failure: &FailureDetails) -> Object {
    Object::new()
        .with("ErrorType", &failure.error_type)
        .with("ErrorMessage", &failure.message)
        .with("StackTrace", &())
        .with("InnerFailure", &failure.inner.as_deref().map(details))
        .with("IsNonRetriable", &failure.non_retriable)
}
