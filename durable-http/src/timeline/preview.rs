//! The beginnings of inputs, outputs and errors.

use durable::protocol::{EventKind, FailureDetails, HistoryEvent, Json};

/// The maximum number of characters of a value.
const VALUE_MAX: usize = 200;
/// The maximum number of characters of an error.
const ERROR_MAX: usize = 500;

/// The beginning of a text, with an ellipsis if the text is longer.
fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text.to_owned(),
    }
}

fn value(json: &Json) -> String {
    cut(json.as_str(), VALUE_MAX)
}

/// A failure with its causes.
pub(super) fn error(failure: &FailureDetails) -> String {
    cut(&failure.to_string(), ERROR_MAX)
}

pub(super) fn reason(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| cut(text, ERROR_MAX))
}

/// The input that an event records.
pub(super) fn input(event: &HistoryEvent) -> Option<String> {
    match &event.kind {
        EventKind::ExecutionStarted(started) => Some(value(&started.input)),
        EventKind::TaskScheduled { input, .. }
        | EventKind::SubOrchestrationInstanceCreated { input, .. }
        | EventKind::EventSent { input, .. }
        | EventKind::EventRaised { input, .. }
        | EventKind::EntityOperationCalled { input, .. }
        | EventKind::EntityOperationSignaled { input, .. } => Some(value(input)),
        _ => None,
    }
}

/// The output that an event records.
pub(super) fn output(event: &HistoryEvent) -> Option<String> {
    match &event.kind {
        EventKind::TaskCompleted { result, .. }
        | EventKind::SubOrchestrationInstanceCompleted { result, .. }
        | EventKind::EntityOperationCompleted { result, .. } => Some(value(result)),
        EventKind::ExecutionCompleted { result, .. } => result.as_ref().map(value),
        _ => None,
    }
}

/// The output of the execution, if this event ended it.
pub(super) fn output_of_execution(event: &HistoryEvent) -> Option<String> {
    match &event.kind {
        EventKind::ExecutionCompleted { .. } => output(event),
        _ => None,
    }
}
