//! Lifecycle events of instances, as observers receive them.

use serde::{Deserialize, Serialize};

use crate::protocol::{InstanceId, InstanceRecord, RuntimeStatus, Timestamp};

/// A change in the life of an instance, delivered once it is durable.
///
/// ```
/// use durable::client::LifecycleEvent;
///
/// fn print(event: &LifecycleEvent) {
///     let reason = event.reason.as_deref().unwrap_or_default();
///     println!("{} {} {:?} {reason}", event.at, event.instance_id, event.kind);
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LifecycleEvent {
    /// The instance.
    pub instance_id: InstanceId,
    /// The name of its orchestration.
    pub name: String,
    /// The version of its orchestration.
    pub version: Option<String>,
    /// The instance that waits for its result, if it is a sub-orchestration.
    pub parent: Option<InstanceId>,
    /// The kind of change.
    pub kind: LifecycleKind,
    /// The status of the instance after the change.
    pub status: RuntimeStatus,
    /// When the change happened.
    pub at: Timestamp,
    /// When the instance was started.
    pub created_at: Timestamp,
    /// Why the instance failed, was terminated, suspended, resumed or rewound: the message of its
    /// failure, the report of the runtime, or the reason given by the client, if any.
    pub reason: Option<String>,
}

/// A kind of change in the life of an instance.
///
/// ```
/// use durable::client::LifecycleKind;
///
/// /// Whether the instance has ended.
/// fn is_end(kind: LifecycleKind) -> bool {
///     use LifecycleKind::{Completed, Failed, Terminated};
///     matches!(kind, Completed | Failed | Terminated)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum LifecycleKind {
    /// It was started; its status is `Pending` if it begins at a later time. This is its first
    /// event.
    Started,
    /// Its orchestrator returned.
    Completed,
    /// Its orchestrator returned an error, or panicked.
    Failed,
    /// It was terminated, or replaced by a new instance before it had ended.
    Terminated,
    /// It was suspended: by a client, or because its code is missing or does not fit.
    Suspended,
    /// It was suspended and has been resumed.
    Resumed,
    /// It continued as new: once, or several times in a row if it did not have to wait in between.
    ContinuedAsNew,
    /// It had failed and was rewound.
    Rewound,
    /// It had ended and was removed with its history.
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

/// The status of the instance right after the change.
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
