//! The answers of the API as Rust types, named as in the `OpenAPI` document.
//!
//! An answer of a newer hub may have members that its type lacks. They are ignored.

mod backups;
mod batches;
mod entities;
mod history;
mod hub;
mod instances;
mod pending;
mod schedules;

use serde::{Deserialize, Serialize};

pub use backups::{Backup, BackupReport, BackupStatus, Backups};
pub use batches::{Batch, BatchDetails, BatchError, BatchProgress};
pub use entities::{
    CleanedEntities, Entity, EntityQueue, QueuedKind, QueuedRequest, ResumedEntity, Signal,
};
pub use history::{Child, Event, FollowedEvent, HistoryPage};
pub use hub::{
    Access, ActivityAttempts, ActivityStatistics, AttemptFailure, CommitLatency, FrozenPartition,
    Hub, HubNode, LifecycleEvent, Parameter, ParkedPartition, PinnedPartition, Registered,
    RegisteredEntity, RegisteredFunction, RegisteredOperation, RetriedPartition, RunningActivities,
    RunningActivity,
};
pub use instances::{
    Failure, Histogram, HistogramBucket, InstanceCount, InstanceDetails, InstanceStatus, Parent,
    Purged, Started, Suspension,
};
pub use pending::{AwaitedEntity, EventWait, PendingCause, PendingKind, PendingTask, PendingWork};
pub use schedules::{Recurrence, Schedule};

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Page<T> {
    /// Its items.
    pub items: Vec<T>,
    /// The argument of [`after`](super::Request::after) for the next page; `None` on the last page.
    pub next: Option<String>,
    /// The number of stored records that were read, matching or not.
    #[serde(default)]
    pub scanned: u64,
}

/// A page of a list whose items are numbered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IndexedPage<T> {
    /// Its items.
    pub items: Vec<T>,
    /// The argument of [`from`](super::Request::from) for the next page; `None` on the last page.
    pub next: Option<u64>,
}
