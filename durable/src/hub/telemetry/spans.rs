//! The spans in which orchestrators and activities run, so that their log lines carry their
//! identity.
//!
//! `docs/observability.md` lists their fields. Without a subscriber a span costs one comparison,
//! and its fields are not evaluated.

use tracing::{Span, info_span};

use std::pin::Pin;

use crate::engine::Execution;
use crate::hub::work::job::Job;
use crate::panics::{self, Guarded};
use crate::protocol::{EntityId, EventKind, InstanceRecord};

/// A span whose subscriber may panic. `None` without a subscriber, which is common.
pub(crate) type GuardedSpan = Option<Guarded<Span>>;

/// The span of an episode that begins with this event.
pub(crate) fn orchestration(
    record: &InstanceRecord,
    execution: &Execution,
    first: Option<&EventKind>,
) -> GuardedSpan {
    guarded_span(|| episode(record, execution, first))
}

fn episode(record: &InstanceRecord, execution: &Execution, first: Option<&EventKind>) -> Span {
    // In its first episode the execution is not started yet, so the data comes from the event.
    let started = execution.started().or(match first {
        Some(EventKind::ExecutionStarted(started)) => Some(&**started),
        _ => None,
    });
    let trace = started.and_then(|started| started.trace_context.as_ref());
    info_span!(
        target: "durable",
        parent: None,
        "orchestration",
        instance_id = %record.instance_id,
        name = record.name,
        version = record.version,
        execution_id = %record.execution_id,
        generation = started.map(|started| started.generation),
        history_len = record.history_len,
        traceparent = trace.map(|trace| trace.traceparent.as_str()),
    )
}

/// Runs `f` in a span. A subscriber that panics when the span is entered or left does not reach `f`.
pub(crate) fn within<T>(span: &GuardedSpan, f: impl FnOnce() -> T) -> T {
    let Some(span) = span else { return f() };
    let mut entered = None;
    panics::shield(|| entered = Some(Guarded::new(span.get().enter())));
    let result = f();
    drop(entered);
    result
}

/// Awaits a future, entering the span for each poll. Takes the future pinned, because passing it by
/// value would take up its size twice.
pub(crate) async fn in_span<F: Future>(span: GuardedSpan, mut future: Pin<&mut F>) -> F::Output {
    std::future::poll_fn(|cx| within(&span, || future.as_mut().poll(cx))).await
}

/// The current span of this thread.
pub(crate) fn current() -> GuardedSpan {
    guarded_span(Span::current)
}

/// Creates a span; `None` if the subscriber panics.
fn guarded_span(span: impl FnOnce() -> Span) -> GuardedSpan {
    panics::catch(span).ok().filter(|span| !span.is_none()).map(Guarded::new)
}

/// The span of a batch of an entity's operations.
pub(crate) fn batch(entity_id: &EntityId, operations: usize) -> GuardedSpan {
    let span = || {
        info_span!(
            target: "durable",
            parent: None,
            "entity",
            entity_id = %entity_id,
            name = entity_id.name(),
            operations,
        )
    };
    guarded_span(span)
}

/// The span of one attempt of an activity.
pub(crate) fn activity(job: &Job) -> GuardedSpan {
    let task = &job.task;
    let span = || {
        info_span!(
            target: "durable",
            parent: None,
            "activity",
            instance_id = %job.instance_id,
            name = &*task.name,
            version = task.version,
            execution_id = %job.execution_id,
            task_id = task.event_id,
            attempt = task.attempt.number,
            traceparent = task.trace_context.as_ref().map(|trace| trace.traceparent.as_str()),
        )
    };
    guarded_span(span)
}
