//! Approximate sizes in bytes, to bound commits and memory.

use crate::protocol::{EventKind, ExecutionStarted, FailureDetails, HistoryEvent, Json};

/// The approximate size of several events.
pub(crate) fn of_events(events: &[HistoryEvent]) -> usize {
    events.iter().map(|event| of_event(&event.kind)).sum()
}

/// The approximate size of an event.
pub(crate) fn of_event(event: &EventKind) -> usize {
    size_of::<HistoryEvent>() + of_content(event)
}

/// The approximate size of the part of an event that can be large.
pub(crate) fn of_content(event: &EventKind) -> usize {
    match event {
        EventKind::ExecutionStarted(started) => of_start(started),
        EventKind::ExecutionCompleted { result, failure, .. } => {
            result.as_ref().map_or(0, of_json) + failure.as_ref().map_or(0, of_failure)
        }
        EventKind::TaskScheduled { input, .. }
        | EventKind::SubOrchestrationInstanceCreated { input, .. }
        | EventKind::EventSent { input, .. }
        | EventKind::EntityOperationCalled { input, .. }
        | EventKind::EntityOperationSignaled { input, .. }
        | EventKind::EventRaised { input, .. } => of_json(input),
        EventKind::TaskCompleted { result, .. }
        | EventKind::SubOrchestrationInstanceCompleted { result, .. }
        | EventKind::EntityOperationCompleted { result, .. } => of_json(result),
        EventKind::TaskFailed { failure, .. }
        | EventKind::TaskAttemptFailed { failure, .. }
        | EventKind::EntityOperationFailed { failure, .. }
        | EventKind::SubOrchestrationInstanceFailed { failure, .. } => of_failure(failure),
        EventKind::ExecutionTerminated { reason, .. }
        | EventKind::ExecutionSuspended { reason }
        | EventKind::ExecutionResumed { reason }
        | EventKind::ExecutionRewound { reason, .. } => reason.len(),
        EventKind::EntityLockRequested { lock_set, .. }
        | EventKind::EntityUnlockSent { lock_set, .. } => {
            lock_set.iter().map(|id| size_of_val(id) + id.as_str().len()).sum()
        }
        EventKind::EntityState(state) => state.state.as_ref().map_or(0, of_json),
        EventKind::TimerCreated { .. }
        | EventKind::EntityLockGranted { .. }
        | EventKind::TimerFired { .. }
        | EventKind::GenericEvent { .. }
        | EventKind::OrchestratorStarted
        | EventKind::OrchestratorCompleted => 0,
    }
}

/// The approximate size of the start of an execution.
pub(crate) fn of_start(started: &ExecutionStarted) -> usize {
    let tags = started.tags.iter().chain(&started.properties);
    size_of_val(started)
        + of_json(&started.input)
        + tags.map(|(key, value)| key.len() + value.len()).sum::<usize>()
}

fn of_json(json: &Json) -> usize {
    json.as_str().len()
}

fn of_failure(failure: &FailureDetails) -> usize {
    let link = |link: &FailureDetails| {
        let texts = link.error_type.len() + link.message.len();
        size_of_val(link) + texts + link.value.as_ref().map_or(0, of_json)
    };
    failure.chain().map(link).sum()
}
