//! The status of an instance, known without reading its history.

use serde::Serialize;

use crate::protocol::{
    ExecutionId, InstanceId, InstanceRecord, Json, ParentInstance, RuntimeStatus, Suspension, Tags,
    Timestamp,
};

/// The status of an instance as of its last commit.
///
/// In JSON its fields have these names; times are RFC 3339, ids are strings.
///
/// ```
/// use durable::client::InstanceStatus;
///
/// fn print(status: &InstanceStatus) {
///     println!("{} ({}) is {}", status.instance_id, status.name, status.runtime_status);
///     if let Some(suspension) = &status.suspension {
///         println!("suspended: {}", suspension.reason);
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InstanceStatus {
    /// The instance.
    pub instance_id: InstanceId,
    /// Its current execution: each continue-as-new and each restart begins another one.
    pub execution_id: ExecutionId,
    /// The name of its orchestration.
    pub name: String,
    /// The version of its orchestration.
    pub version: Option<String>,
    /// Its runtime status.
    pub runtime_status: RuntimeStatus,
    /// When it was started.
    pub created_at: Timestamp,
    /// When its last episode was committed; for an instance that has ended, when it ended.
    pub last_updated_at: Timestamp,
    /// Why it is suspended, if it is.
    pub suspension: Option<Suspension>,
    /// The orchestration that waits for its result, if it is a sub-orchestration.
    pub parent: Option<ParentInstance>,
    /// Its tags.
    pub tags: Tags,
    /// The custom status that its orchestrator set last.
    pub custom_status: Option<Json>,
    /// When its next timer, retry, time limit, delayed start or purge is due.
    pub next_due: Option<Timestamp>,
    /// The number of times that it has continued as new.
    pub generation: u64,
    /// The number of events in its history. Together with `execution_id` it changes whenever the
    /// history does.
    pub history_len: u64,
}

impl From<InstanceRecord> for InstanceStatus {
    fn from(record: InstanceRecord) -> Self {
        // The omitted fields concern only the partition that owns the instance.
        let InstanceRecord {
            instance_id,
            execution_id,
            name,
            version,
            runtime_status,
            created_at,
            last_updated_at,
            suspension,
            history_len,
            last_episode: _,
            parent,
            tags,
            custom_status,
            next_due,
            active: _,
            generation,
        } = record;
        Self {
            instance_id,
            execution_id,
            name,
            version,
            runtime_status,
            created_at,
            last_updated_at,
            suspension,
            parent,
            tags,
            custom_status,
            next_due,
            generation,
            history_len,
        }
    }
}
