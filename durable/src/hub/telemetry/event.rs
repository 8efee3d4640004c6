//! What can happen to an instance, as observers are told.

use serde::Serialize;

use crate::protocol::{InstanceId, InstanceRecord, RuntimeStatus, Timestamp};

/// Something that has happened to an instance, and is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LifecycleEvent {
    /// The instance.
    pub instance_id: InstanceId,
    /// Name of its orchestration.
    pub name: String,
    /// Version of its orchestration.
    pub version: Option<String>,
    /// The instance that waits for its result, if it is a sub-orchestration.
    pub parent: Option<InstanceId>,
    /// What happened.
    pub kind: LifecycleKind,
    /// How far the instance was then.
    pub status: RuntimeStatus,
    /// When it happened.
    pub at: Timestamp,
    /// When the instance was started.
    pub created_at: Timestamp,
    /// Why it failed, was terminated, was suspended, goes on or was rewound: the message of its
    /// failure, the report of the runtime, or what the client said. `None` if there is no reason.
    pub reason: Option<String>,
}

/// What can happen to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum LifecycleKind {
    /// It was started; its status is `Pending` if it begins at a later time. The first of its events.
    Started,
    /// Its orchestrator returned.
    Completed,
    /// Its orchestrator returned an error, or panicked.
    Failed,
    /// It was ended from outside, or another was started in its place before it had ended.
    Terminated,
    /// It was set aside: by a client, or since it needs other code.
    Suspended,
    /// It was suspended and goes on.
    Resumed,
    /// It began anew, once or, if it had not to wait for anything, several times.
    ContinuedAsNew,
    /// It had failed, and what made it fail is tried again.
    Rewound,
    /// It had ended, and is removed with its history.
    Purged,
}

impl LifecycleEvent {
    pub(super) fn new(
        record: &InstanceRecord,
        kind: LifecycleKind,
        at: Timestamp,
        reason: Option<&str>,
    ) -> Self {
        Self {
            instance_id: record.instance_id.clone(),
            name: record.name.clone(),
            version: record.version.clone(),
            parent: record.parent.as_ref().map(|parent| parent.instance_id.clone()),
            kind,
            status: status(record, kind),
            at,
            created_at: record.created_at,
            reason: reason.filter(|reason| !reason.is_empty()).map(str::to_owned),
        }
    }
}

/// How far an instance was when this happened to it.
fn status(record: &InstanceRecord, kind: LifecycleKind) -> RuntimeStatus {
    match kind {
        LifecycleKind::Completed => RuntimeStatus::Completed,
        LifecycleKind::Failed => RuntimeStatus::Failed,
        LifecycleKind::Terminated => RuntimeStatus::Terminated,
        LifecycleKind::Suspended => RuntimeStatus::Suspended,
        LifecycleKind::Purged => record.runtime_status,
        LifecycleKind::Started
        | LifecycleKind::Resumed
        | LifecycleKind::ContinuedAsNew
        | LifecycleKind::Rewound => match record.runtime_status {
            RuntimeStatus::Pending => RuntimeStatus::Pending,
            _ => RuntimeStatus::Running,
        },
    }
}
