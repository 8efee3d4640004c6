//! The messages that instances send each other.
//!
//! Every message that a partition sends is made here, so that its id, its sender and the execution
//! that it is meant for are set in one place.

use crate::hub::telemetry::hooks::Starting;
use crate::orchestration::request::OperationRequest;
use crate::protocol::{
    EntityId, EventKind, ExecutionStarted, FailureDetails, InstanceId, InstanceRecord, Json,
    MessageId, ParentInstance, TaskMessage, Timestamp,
};

/// A message to an instance, whatever its execution.
fn message(instance_id: InstanceId, event: EventKind) -> TaskMessage {
    TaskMessage { id: MessageId::generate(), instance_id, execution_id: None, from: None, event }
}

/// A message to the orchestration that made a call; dropped if its execution is over.
fn reply(call: &ParentInstance, event: EventKind) -> TaskMessage {
    TaskMessage {
        execution_id: Some(call.execution_id),
        ..message(call.instance_id.clone(), event)
    }
}

/// Whether a message acts on an instance as a whole, such as by starting it. All other messages are
/// events for its next episode, or are for an entity.
pub(super) fn acts_on_instance(event: &EventKind) -> bool {
    match event {
        EventKind::ExecutionStarted(_)
        | EventKind::ExecutionTerminated { .. }
        | EventKind::ExecutionRewound { .. } => true,
        EventKind::ExecutionCompleted { .. }
        | EventKind::ExecutionSuspended { .. }
        | EventKind::ExecutionResumed { .. }
        | EventKind::TaskScheduled { .. }
        | EventKind::TaskCompleted { .. }
        | EventKind::TaskFailed { .. }
        | EventKind::TaskAttemptFailed { .. }
        | EventKind::SubOrchestrationInstanceCreated { .. }
        | EventKind::SubOrchestrationInstanceCompleted { .. }
        | EventKind::SubOrchestrationInstanceFailed { .. }
        | EventKind::TimerCreated { .. }
        | EventKind::TimerFired { .. }
        | EventKind::EventSent { .. }
        | EventKind::EventRaised { .. }
        | EventKind::GenericEvent { .. }
        | EventKind::EntityOperationCalled { .. }
        | EventKind::EntityOperationSignaled { .. }
        | EventKind::EntityOperationCompleted { .. }
        | EventKind::EntityOperationFailed { .. }
        | EventKind::EntityLockRequested { .. }
        | EventKind::EntityLockGranted { .. }
        | EventKind::EntityUnlockSent { .. }
        | EventKind::EntityState(_)
        | EventKind::OrchestratorStarted
        | EventKind::OrchestratorCompleted => false,
    }
}

/// Starts an orchestration.
pub(super) fn start(instance_id: InstanceId, started: Box<ExecutionStarted>) -> TaskMessage {
    message(instance_id, EventKind::ExecutionStarted(started))
}

/// Starts the orchestrations of hooks.
pub(super) fn starts(starting: Vec<Starting>) -> impl Iterator<Item = TaskMessage> {
    starting.into_iter().map(|(instance_id, started)| start(instance_id, started))
}

/// Raises an event in another instance.
pub(super) fn raise(instance_id: InstanceId, name: String, input: Json) -> TaskMessage {
    message(instance_id, EventKind::EventRaised { name, input })
}

/// A message from a parent to its sub-orchestration, which ignores it unless this call started it.
pub(super) fn to_child(call: ParentInstance, child: InstanceId, event: EventKind) -> TaskMessage {
    TaskMessage { from: Some(Box::new(call)), ..message(child, event) }
}

/// Tells a parent the result of its sub-orchestration.
pub(super) fn child_result(
    parent: &ParentInstance,
    result: Result<Json, FailureDetails>,
) -> TaskMessage {
    reply(parent, EventKind::child_result(parent.task_scheduled_id, result))
}

/// Tells the parent of an instance, if it has one, the result of the instance.
pub(super) fn result_for_parent(
    record: &InstanceRecord,
    result: Result<Json, FailureDetails>,
) -> Option<TaskMessage> {
    record.parent.as_ref().map(|parent| child_result(parent, result))
}

/// Calls an operation of an entity.
pub(super) fn call(
    call: ParentInstance,
    asked: OperationRequest,
    section: Option<i32>,
) -> TaskMessage {
    let OperationRequest { entity_id, operation, input } = asked;
    let (id, operation) = (entity_id.instance_id().clone(), operation.into_owned());
    let event = EventKind::EntityOperationCalled {
        entity_id,
        operation,
        input,
        source: None,
        critical_section: section,
    };
    TaskMessage { from: Some(Box::new(call)), ..message(id, event) }
}

/// Signals an operation to an entity, to be delivered at this time or at once.
pub(super) fn signal(asked: OperationRequest, scheduled_time: Option<Timestamp>) -> TaskMessage {
    let OperationRequest { entity_id, operation, input } = asked;
    let (id, operation, source) = (entity_id.instance_id().clone(), operation.into_owned(), None);
    let event =
        EventKind::EntityOperationSignaled { entity_id, operation, input, scheduled_time, source };
    message(id, event)
}

/// A signal that was stored, as a new message to its entity.
pub(super) fn stored_signal(entity: InstanceId, signal: EventKind) -> TaskMessage {
    message(entity, signal)
}

/// Tells an orchestration the result of an operation that it called.
pub(super) fn operation_result(
    call: &ParentInstance,
    result: Result<Json, FailureDetails>,
) -> TaskMessage {
    reply(call, EventKind::operation_result(call.task_scheduled_id, result))
}

/// Requests the lock of the first of several entities; each entity requests the next. `None` if no
/// entity is left.
pub(super) fn lock_request(
    section: ParentInstance,
    lock_set: Vec<EntityId>,
) -> Option<TaskMessage> {
    let first = lock_set.first()?.instance_id().clone();
    let event = EventKind::EntityLockRequested { lock_set, source: None };
    Some(TaskMessage { from: Some(Box::new(section)), ..message(first, event) })
}

/// Tells an orchestration that its critical section holds all its locks.
pub(super) fn lock_granted(section: &ParentInstance) -> TaskMessage {
    let task_scheduled_id = section.task_scheduled_id;
    reply(section, EventKind::EntityLockGranted { task_scheduled_id })
}

/// Unlocks the first of several entities; each entity passes it on to the next one. `None` if no
/// entity is left.
pub(super) fn unlock(section: ParentInstance, lock_set: Vec<EntityId>) -> Option<TaskMessage> {
    let first = lock_set.first()?.instance_id().clone();
    let task_scheduled_id = section.task_scheduled_id;
    let event = EventKind::EntityUnlockSent { task_scheduled_id, lock_set };
    Some(TaskMessage { from: Some(Box::new(section)), ..message(first, event) })
}

/// The failure that a parent receives when its sub-orchestration was terminated.
pub(super) fn terminated(reason: &str) -> FailureDetails {
    let message = if reason.is_empty() {
        "it was terminated".to_owned()
    } else {
        format!("it was terminated: {reason}")
    };
    FailureDetails::new(FailureDetails::TERMINATED, message).non_retriable()
}
