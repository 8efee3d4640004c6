//! The status of an instance.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ExecutionId, InstanceId, Json, Timestamp};

/// Tags of instances and tasks, for queries.
///
/// ```
/// use durable::protocol::Tags;
///
/// let tags = Tags::from([("country".to_owned(), "jp".to_owned())]);
/// assert_eq!(tags["country"], "jp");
/// ```
pub type Tags = BTreeMap<String, String>;

/// The status of an instance. The numbers are Durable Task's.
///
/// ```
/// use durable::RuntimeStatus;
///
/// assert_eq!(RuntimeStatus::Completed.to_string(), "Completed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RuntimeStatus {
    /// Its orchestrator has begun and has not ended.
    Running = 0,
    /// Its orchestrator returned.
    Completed = 1,
    /// Its orchestrator returned an error, or panicked.
    Failed = 3,
    /// It was terminated by a client, by another instance, or by a new instance with its id.
    Terminated = 5,
    /// It was accepted and has not begun.
    Pending = 6,
    /// It is suspended; its history is kept, and it can be resumed.
    Suspended = 7,
}

impl RuntimeStatus {
    /// Returns `true` if the instance has ended.
    ///
    /// ```
    /// assert!(durable::RuntimeStatus::Failed.is_finished());
    /// assert!(!durable::RuntimeStatus::Suspended.is_finished());
    /// ```
    pub fn is_finished(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Terminated => true,
            Self::Running | Self::Pending | Self::Suspended => false,
        }
    }
}

impl fmt::Display for RuntimeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The call that waits for the result of a sub-orchestration.
///
/// ```
/// use durable::client::InstanceStatus;
///
/// fn origin(status: &InstanceStatus) -> String {
///     match &status.parent {
///         Some(parent) => format!("called by {} ({})", parent.instance_id, parent.name),
///         None => "started by a client".to_owned(),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ParentInstance {
    /// The instance that made the call.
    pub instance_id: InstanceId,
    /// Its execution.
    pub execution_id: ExecutionId,
    /// Name of its orchestration.
    pub name: String,
    /// Version of its orchestration.
    pub version: Option<String>,
    /// `event_id` of the `SubOrchestrationInstanceCreated` in its history.
    pub task_scheduled_id: i32,
}

impl ParentInstance {
    /// Whether `other` is the same call of the same execution. Names and versions do not matter.
    pub(crate) fn is_same_call(&self, other: &Self) -> bool {
        self.instance_id == other.instance_id
            && self.execution_id == other.execution_id
            && self.task_scheduled_id == other.task_scheduled_id
    }
}

/// The suspension of an instance: by the runtime until matching code is available, or by a client
/// until a client resumes it.
///
/// ```
/// use durable::client::InstanceStatus;
///
/// /// Whether the code no longer fits the history, so that a fixed program would continue.
/// fn waits_for_code(status: &InstanceStatus) -> bool {
///     status.suspension.as_ref().is_some_and(|suspension| suspension.code.is_some())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Suspension {
    /// The code of the reason, such as `DURABLE0101`; `docs/errors` has a page for each code.
    /// `None` if a client suspended the instance.
    pub code: Option<String>,
    /// The whole report, for people.
    pub reason: String,
}

impl Suspension {
    /// Creates a suspension from its reason, and the code of the reason if it has one.
    ///
    /// ```
    /// use durable::protocol::Suspension;
    ///
    /// let suspension = Suspension::new(None, "the supplier is closed until Monday");
    /// assert_eq!(suspension.to_string(), "the supplier is closed until Monday");
    /// ```
    pub fn new(code: Option<String>, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

impl fmt::Display for Suspension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// The summary of an instance, available without reading its history. It is small, because every
/// episode writes it.
///
/// ```
/// use durable::protocol::{ExecutionId, InstanceRecord, Timestamp};
/// use durable::{InstanceId, RuntimeStatus};
///
/// let now = Timestamp::from_micros(0).unwrap();
/// let id = InstanceId::new("order-17")?;
/// let record = InstanceRecord::new(id, ExecutionId::from_u128(1), "order", None, now);
/// assert_eq!(record.runtime_status, RuntimeStatus::Pending);
/// # Ok::<(), durable::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InstanceRecord {
    /// The id of the instance.
    pub instance_id: InstanceId,
    /// The id of the current execution, which the fields about the history describe.
    pub execution_id: ExecutionId,
    /// Name of the orchestration.
    pub name: String,
    /// Version of the orchestration.
    pub version: Option<String>,
    /// The status of the instance.
    pub runtime_status: RuntimeStatus,
    /// When the instance was started.
    pub created_at: Timestamp,
    /// When the last episode was written.
    pub last_updated_at: Timestamp,
    /// Why the instance is suspended, if it is.
    pub suspension: Option<Suspension>,
    /// Number of events in the history.
    pub history_len: u64,
    /// Index of the first event of the last episode.
    pub last_episode: u64,
    /// The call that waits for the result, if the instance is a sub-orchestration.
    #[serde(default)]
    pub parent: Option<ParentInstance>,
    /// The tags of the instance.
    #[serde(default)]
    pub tags: Tags,
    /// The custom status that the orchestrator set last.
    #[serde(default)]
    pub custom_status: Option<Json>,
    /// When the owner of the partition has to wake the instance even if no event arrives: for a
    /// timer, a retry, a start or a purge.
    #[serde(default)]
    pub next_due: Option<Timestamp>,
    /// Whether the instance has work that is only in the memory of the partition's owner, such as
    /// running activities. A new owner has to restart this work.
    #[serde(default)]
    pub active: bool,
    /// The number of the current execution: 0 at first, and one more with each continue-as-new.
    #[serde(default)]
    pub generation: u64,
}

impl InstanceRecord {
    /// Creates the record of an instance that was accepted and has no history yet.
    pub fn new(
        instance_id: InstanceId,
        execution_id: ExecutionId,
        name: impl Into<String>,
        version: Option<String>,
        created_at: Timestamp,
    ) -> Self {
        Self {
            instance_id,
            execution_id,
            name: name.into(),
            version,
            runtime_status: RuntimeStatus::Pending,
            created_at,
            last_updated_at: created_at,
            suspension: None,
            history_len: 0,
            last_episode: 0,
            parent: None,
            tags: Tags::new(),
            custom_status: None,
            next_due: None,
            active: false,
            generation: 0,
        }
    }
}
