//! The spans in which orchestrators and activities run, so that what they log carries who they are.
//!
//! `docs/observability.md` lists their fields. Where nobody listens they cost a comparison: no field
//! is looked at.

use tracing::{Span, info_span};

use super::activities::Job;
use super::metrics::{self, Stopwatch};
use crate::engine::{Episode, Execution};
use crate::protocol::{EntityId, EventKind, InstanceRecord, Suspension, Timestamp};

/// Runs an episode in its span.
pub(super) fn episode(
    record: &InstanceRecord,
    execution: &mut Execution,
    now: Timestamp,
    events: Vec<EventKind>,
) -> Option<Episode> {
    let span = orchestration(record, execution, events.first());
    let watch = Stopwatch::start();
    let episode = span.in_scope(|| execution.run(now, events));
    metrics::episode(&record.name, watch);
    episode
}

/// Delivers in its span what came in while the instance was suspended.
pub(super) fn catch_up(
    record: &InstanceRecord,
    execution: &mut Execution,
) -> Result<(), Suspension> {
    orchestration(record, execution, None).in_scope(|| execution.catch_up())
}

fn orchestration(
    record: &InstanceRecord,
    execution: &Execution,
    first: Option<&EventKind>,
) -> Span {
    // In its first episode the execution does not know yet how it was started.
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

/// The span of a batch of an entity's operations.
pub(super) fn batch(entity_id: &EntityId, operations: usize) -> Span {
    info_span!(
        target: "durable",
        parent: None,
        "entity",
        entity_id = %entity_id,
        name = entity_id.name(),
        operations,
    )
}

/// The span of one attempt of an activity.
pub(super) fn activity(job: &Job) -> Span {
    let task = &job.task;
    info_span!(
        target: "durable",
        parent: None,
        "activity",
        instance_id = %job.instance_id,
        name = &*task.name,
        version = task.version,
        execution_id = %job.execution_id,
        task_id = task.event_id,
        attempt = task.attempt,
        traceparent = task.trace_context.as_ref().map(|trace| trace.traceparent.as_str()),
    )
}
