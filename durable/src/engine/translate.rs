//! Translates a request for the history and for the hub: into the event that records it, the action
//! that carries it out, and the action that stops it.

use std::rc::Rc;

use super::action::{Action, AttemptId, ScheduledTask};
use super::open::Open;
use crate::orchestration::request::{Ask, FunctionCall, OperationRequest, Request};
use crate::protocol::{
    EventKind, ExecutionId, ExecutionStarted, FailureDetails, InstanceId, ParentInstance, Tags,
    Timestamp, TraceContext,
};

/// The execution that makes the requests.
#[derive(Clone, Debug)]
pub(super) struct Requester {
    pub(super) instance_id: InstanceId,
    pub(super) execution_id: ExecutionId,
    pub(super) started: Rc<ExecutionStarted>,
}

/// The action that carries out a request. A timer has no action, because the engine watches it.
pub(super) fn action(
    request: &Request,
    id: i32,
    attempt: AttemptId,
    requester: &Requester,
) -> Option<Action> {
    match &request.ask {
        Ask::Activity(call) => Some(Action::ScheduleTask(ScheduledTask {
            event_id: id,
            attempt,
            name: call.name.clone(),
            version: call.version.clone(),
            input: call.input.clone(),
            timeout: call.options.attempt_timeout,
            tags: call.options.tags.clone(),
            trace_context: trace_of(id, requester),
        })),
        Ask::SubOrchestration { call, instance_id, child } => {
            let execution_id = ExecutionId::of_child(requester.execution_id, id, attempt.number);
            let started = ExecutionStarted {
                parent: (!child.detached).then(|| ParentInstance {
                    instance_id: requester.instance_id.clone(),
                    execution_id: requester.execution_id,
                    name: requester.started.name.clone(),
                    version: requester.started.version.clone(),
                    task_scheduled_id: id,
                }),
                scheduled_start: child.start_at,
                tags: tags(call, child.detached, requester),
                trace_context: trace_of(id, requester),
                properties: requester.started.properties.clone(),
                ..ExecutionStarted::new(
                    call.name.as_ref(),
                    call.version.clone(),
                    call.input.clone(),
                    execution_id,
                )
            };
            Some(Action::StartOrchestration {
                instance_id: child_id(instance_id.as_ref(), id, requester),
                started: Box::new(started),
            })
        }
        Ask::Timer { .. } => None,
        Ask::SendEvent { instance_id, name, input } => Some(Action::SendEvent {
            instance_id: instance_id.clone(),
            name: name.clone(),
            input: input.clone(),
        }),
        Ask::CallEntity { asked, section } => {
            Some(Action::CallEntity { task: id, asked: asked.clone(), section: *section })
        }
        Ask::SignalEntity { asked, at } => {
            Some(Action::SignalEntity { asked: asked.clone(), at: *at })
        }
        Ask::LockEntities(lock_set) => {
            Some(Action::LockEntities { lock: id, lock_set: lock_set.clone() })
        }
        Ask::UnlockEntities { lock, lock_set } => {
            Some(Action::UnlockEntities { lock: *lock, lock_set: lock_set.clone(), granted: true })
        }
    }
}

/// The event that records a request.
pub(super) fn event(request: &Request, id: i32, requester: &Requester) -> EventKind {
    let source = Some(request.source());
    match &request.ask {
        Ask::Activity(call) => EventKind::TaskScheduled {
            name: call.name.clone().into_owned(),
            version: call.version.clone(),
            input: call.input.clone(),
            source,
            tags: call.options.tags.clone(),
        },
        Ask::SubOrchestration { call, instance_id, child } => {
            EventKind::SubOrchestrationInstanceCreated {
                instance_id: child_id(instance_id.as_ref(), id, requester),
                name: call.name.clone().into_owned(),
                version: call.version.clone(),
                input: call.input.clone(),
                source,
                detached: child.detached,
                tags: call.options.tags.clone(),
            }
        }
        Ask::Timer { fire_at, .. } => EventKind::TimerCreated { fire_at: *fire_at, source },
        Ask::SendEvent { instance_id, name, input } => EventKind::EventSent {
            instance_id: instance_id.clone(),
            name: name.clone(),
            input: input.clone(),
            source,
        },
        Ask::CallEntity { asked: OperationRequest { entity_id, operation, input }, section } => {
            EventKind::EntityOperationCalled {
                entity_id: entity_id.clone(),
                operation: operation.clone().into_owned(),
                input: input.clone(),
                source,
                critical_section: *section,
            }
        }
        Ask::SignalEntity { asked: OperationRequest { entity_id, operation, input }, at } => {
            EventKind::EntityOperationSignaled {
                entity_id: entity_id.clone(),
                operation: operation.clone().into_owned(),
                input: input.clone(),
                scheduled_time: *at,
                source,
            }
        }
        Ask::LockEntities(lock_set) => {
            EventKind::EntityLockRequested { lock_set: lock_set.clone(), source }
        }
        Ask::UnlockEntities { lock, lock_set } => {
            EventKind::EntityUnlockSent { task_scheduled_id: *lock, lock_set: lock_set.clone() }
        }
    }
}

/// The action that stops a task whose result is no longer needed.
pub(super) fn stop(request: &Request, id: i32, requester: &Requester) -> Option<Action> {
    match &request.ask {
        Ask::Activity(_) => Some(Action::CancelTask { event_id: id }),
        Ask::SubOrchestration { instance_id, .. } => {
            let instance_id = child_id(instance_id.as_ref(), id, requester);
            Some(Action::TerminateOrchestration { instance_id, event_id: id })
        }
        Ask::LockEntities(lock_set) => {
            Some(Action::UnlockEntities { lock: id, lock_set: lock_set.clone(), granted: false })
        }
        // A call of an entity cannot be withdrawn.
        Ask::CallEntity { .. }
        | Ask::Timer { .. }
        | Ask::SendEvent { .. }
        | Ask::SignalEntity { .. }
        | Ask::UnlockEntities { .. } => None,
    }
}

/// The tags of a sub-orchestration: its parent's, overridden by its own.
fn tags(call: &FunctionCall, detached: bool, requester: &Requester) -> Tags {
    let mut tags = if detached { Tags::new() } else { requester.started.tags.clone() };
    tags.extend(call.options.tags.clone());
    tags
}

/// The instance id of a sub-orchestration.
pub(super) fn child_id(given: Option<&InstanceId>, id: i32, requester: &Requester) -> InstanceId {
    given.cloned().unwrap_or_else(|| InstanceId::of_child(requester.execution_id, id))
}

fn trace_of(id: i32, requester: &Requester) -> Option<TraceContext> {
    requester.started.trace_context.as_ref().map(|trace| trace.child(requester.execution_id, id))
}

/// The start of the next attempt of a sub-orchestration, which is sent out as soon as the previous
/// attempt has failed. The next attempt of an activity begins when it is due.
pub(super) fn next_attempt(
    open: &Open,
    id: i32,
    retry_at: Timestamp,
    requester: &Requester,
) -> Option<Action> {
    if open.is_activity() {
        return None;
    }
    let mut action = action(&open.request, id, open.attempt(), requester)?;
    let Action::StartOrchestration { started, .. } = &mut action else { return None };
    started.scheduled_start = Some(retry_at);
    if open.rewinds > 0 {
        // Before the rewind, an attempt of this number may have had the same id, and results of its
        // tasks may still arrive.
        let (caller, attempt) = (requester.execution_id, open.attempt);
        started.execution_id = ExecutionId::of_child_after(caller, id, attempt, open.rewinds);
    }
    Some(action)
}

/// The failure of a call that exceeded its timeout.
pub(super) fn timed_out(open: &Open, id: i32) -> Option<EventKind> {
    let limit = open.request.call()?.options.timeout.unwrap_or_default();
    let message = format!("it took longer than its timeout of {limit:?}");
    let failure = FailureDetails::new(FailureDetails::TIMEOUT, message).non_retriable();
    Some(if open.is_activity() {
        EventKind::task_result(id, Err(failure))
    } else {
        EventKind::child_result(id, Err(failure))
    })
}
