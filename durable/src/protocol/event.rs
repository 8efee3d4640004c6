//! What a history is made of.
//!
//! Names and fields are Durable Task's own (`HistoryEvent` in its protocol), so that people and
//! tools who know one know the other.

use serde::{Deserialize, Serialize};

use super::{ExecutionId, FailureDetails, Json, RuntimeStatus, Timestamp};

/// How the text of a remembered patch begins.
const PATCHED: &str = "patched:";

/// One thing that happened to an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HistoryEvent {
    /// For an event that records an action (`TaskScheduled`): which one, counted from 0 in the
    /// order in which the orchestrator asked. For all others -1.
    pub event_id: i32,
    /// When it was written down.
    pub timestamp: Timestamp,
    /// What happened.
    pub kind: EventKind,
}

/// What happened, in Durable Task's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum EventKind {
    /// The instance was started.
    ExecutionStarted {
        /// Name of the orchestration.
        name: String,
        /// Version of the orchestration.
        version: Option<String>,
        /// Its input.
        input: Json,
        /// This execution of the instance.
        execution_id: ExecutionId,
        /// Hash of the orchestrator's code when the instance was started.
        code_hash: Option<u64>,
    },
    /// The orchestrator returned, or panicked.
    ExecutionCompleted {
        /// `Completed` or `Failed`.
        status: RuntimeStatus,
        /// What it returned.
        result: Option<Json>,
        /// Why it failed.
        failure: Option<FailureDetails>,
    },
    /// The instance was set aside and keeps its history.
    ExecutionSuspended {
        /// Why.
        reason: String,
    },
    /// The instance goes on.
    ExecutionResumed {
        /// Why.
        reason: String,
    },
    /// The orchestrator called an activity.
    TaskScheduled {
        /// Name of the activity.
        name: String,
        /// Version of the activity.
        version: Option<String>,
        /// Its input.
        input: Json,
        /// Where in the source the call was written, as `file:line`.
        source: Option<String>,
    },
    /// An activity returned.
    TaskCompleted {
        /// `event_id` of its `TaskScheduled`.
        task_scheduled_id: i32,
        /// What it returned.
        result: Json,
    },
    /// An activity failed.
    TaskFailed {
        /// `event_id` of its `TaskScheduled`.
        task_scheduled_id: i32,
        /// Why.
        failure: FailureDetails,
    },
    /// Something to remember; what, its text says. `patched:ID` is a [patch] that was taken.
    ///
    /// [patch]: crate::OrchestrationContext::patched
    GenericEvent {
        /// The text.
        data: String,
    },
    /// An episode began; its timestamp is the orchestrator's clock.
    OrchestratorStarted,
    /// The episode ended.
    OrchestratorCompleted,
}

impl HistoryEvent {
    /// The event of an action that the orchestrator asked for.
    pub fn action(event_id: i32, timestamp: Timestamp, kind: EventKind) -> Self {
        Self { event_id, timestamp, kind }
    }

    /// An event that happened to the instance.
    pub fn new(timestamp: Timestamp, kind: EventKind) -> Self {
        Self { event_id: -1, timestamp, kind }
    }
}

impl EventKind {
    /// Durable Task's name of this kind of event.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::ExecutionStarted { .. } => "ExecutionStarted",
            Self::ExecutionCompleted { .. } => "ExecutionCompleted",
            Self::ExecutionSuspended { .. } => "ExecutionSuspended",
            Self::ExecutionResumed { .. } => "ExecutionResumed",
            Self::TaskScheduled { .. } => "TaskScheduled",
            Self::TaskCompleted { .. } => "TaskCompleted",
            Self::TaskFailed { .. } => "TaskFailed",
            Self::GenericEvent { .. } => "GenericEvent",
            Self::OrchestratorStarted => "OrchestratorStarted",
            Self::OrchestratorCompleted => "OrchestratorCompleted",
        }
    }

    /// The event that remembers a patch.
    pub(crate) fn of_patch(id: &str) -> Self {
        Self::GenericEvent { data: format!("{PATCHED}{id}") }
    }

    /// The patch that the event remembers.
    pub(crate) fn patch(&self) -> Option<&str> {
        match self {
            Self::GenericEvent { data } => data.strip_prefix(PATCHED),
            _ => None,
        }
    }

    /// The event that answers a `TaskScheduled` of this id.
    pub(crate) fn task_result(
        task_scheduled_id: i32,
        result: Result<Json, FailureDetails>,
    ) -> Self {
        match result {
            Ok(result) => Self::TaskCompleted { task_scheduled_id, result },
            Err(failure) => Self::TaskFailed { task_scheduled_id, failure },
        }
    }
}
