//! What an instance waits for.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Failure, InstanceStatus};

/// What an instance waits for now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PendingWork {
    /// The instance.
    pub status: InstanceStatus,
    /// Its calls, timers and lock requests without a result.
    pub tasks: Vec<PendingTask>,
    /// The names of the events that it waits for, in lower case.
    pub awaited_events: Vec<String>,
    /// The names of the events that have arrived and were not read.
    pub unread_events: Vec<String>,
    /// The entities that it has locked, as `@name@key`.
    pub locked_entities: Vec<String>,
}

/// A call, timer or lock request without a result. Its kind decides which fields it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PendingTask {
    /// The number of the request in the history.
    pub event_id: i64,
    /// The line of code that requested it, as `file:line`.
    pub source: String,
    /// When it was requested.
    pub since: DateTime<Utc>,
    /// When a timer fires, or the time limit of a call ends.
    pub due_at: Option<DateTime<Utc>>,
    /// What it is.
    pub kind: PendingKind,
    /// The name of the activity or sub-orchestration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The version of the sub-orchestration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The attempt that runs or waits to run, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// When the attempt begins, if it waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<DateTime<Utc>>,
    /// Why the attempt before this one failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Failure>,
    /// The sub-orchestration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// The entity that is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<String>,
    /// The operation that is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The entities to lock.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<String>,
}

/// What a task is that an instance waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PendingKind {
    /// A call of an activity.
    Activity,
    /// A call of a sub-orchestration.
    SubOrchestration,
    /// A timer.
    Timer,
    /// A call of an entity.
    EntityCall,
    /// A lock of entities.
    Lock,
    /// A kind that a newer hub has.
    #[serde(other)]
    Other,
}

impl fmt::Display for PendingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
