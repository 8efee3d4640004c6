//! Entities, and signals that are not due yet.

use chrono::{DateTime, Utc};
use durable::protocol::Json;
use serde::{Deserialize, Serialize};

use super::{Parent, Suspension};

/// An entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Entity {
    /// Its id, as `@name@key`.
    pub entity_id: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub last_modified: DateTime<Utc>,
    /// Its state; `None` if it has no state, or if the list was requested without states.
    pub state: Option<Json>,
    /// The instance that holds its lock.
    pub locked_by: Option<Parent>,
    /// The number of messages in its queue.
    pub backlog: u64,
    /// When it was locked.
    #[serde(default)]
    pub locked_since: Option<DateTime<Utc>>,
    /// Why it is set aside, if it is.
    #[serde(default)]
    pub suspension: Option<Suspension>,
}

/// The requests that an entity has not handled yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EntityQueue {
    /// The requests, in the order of arrival.
    pub items: Vec<QueuedRequest>,
}

/// A request in the queue of an entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QueuedRequest {
    /// The kind of the request.
    pub kind: QueuedKind,
    /// The operation; `None` for a lock.
    pub operation: Option<String>,
    /// The orchestration that sent the request and waits for it; `None` for a signal.
    pub from: Option<Parent>,
}

/// The kinds of requests to an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum QueuedKind {
    /// A call, whose sender waits for the output.
    Call,
    /// A signal.
    Signal,
    /// A request for the lock.
    Lock,
    /// A kind that this client does not know, from a newer hub.
    #[serde(other)]
    Other,
}

/// The result of cleaning entities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CleanedEntities {
    /// The number of locks that were released because their orchestration no longer existed.
    pub orphaned_locks_released: u64,
}

/// The result of resuming an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ResumedEntity {
    /// Whether the entity was set aside.
    pub was_set_aside: bool,
}

/// A signal that is not due yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Signal {
    /// Its id.
    pub id: String,
    /// The entity, as `@name@key`.
    pub entity_id: String,
    /// The operation.
    pub operation: String,
    /// The input of the operation.
    pub input: Json,
    /// When it is delivered.
    pub due_at: DateTime<Utc>,
    /// When it was sent.
    pub created_at: DateTime<Utc>,
}
