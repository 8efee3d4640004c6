//! The errors of an open hub: one enum for each kind of operation. `open_error.rs` has those of opening
//! a hub.

use std::any::type_name;
use std::sync::Arc;

use crate::entity::InvalidOperation;
use crate::error::{Error, TaskFailed};
use crate::event::InvalidEvent;
use crate::payload::InvalidPayload;
use crate::protocol::{
    FailureDetails, InstanceId, InvalidInstanceId, InvalidTraceContext, PartitionId, RuntimeStatus,
    Suspension,
};
use crate::store::{ParkedPartition, StoreError};

/// A stored value that cannot be read as the requested type.
///
/// ```
/// use durable::client::{InstanceDetails, Unreadable};
///
/// fn input(details: &InstanceDetails) -> Result<u32, Unreadable> {
///     details.input_as().inspect_err(|error| eprintln!("{} is no {}", error.what, error.type_name))
/// }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what} cannot be read as `{type_name}`")]
#[non_exhaustive]
pub struct Unreadable {
    /// The value that could not be read, such as the result of an instance.
    pub what: String,
    /// The requested type.
    pub type_name: &'static str,
    source: Arc<serde_json::Error>,
}

impl Unreadable {
    pub(crate) fn new<T>(what: impl Into<String>, error: serde_json::Error) -> Self {
        Self { what: what.into(), type_name: type_name::<T>(), source: Arc::new(error) }
    }
}

/// The error returned when the hub has stopped, or the requested instance or value cannot be read.
///
/// ```
/// use durable::client::{HubError, InstanceHandle, InstanceStatus};
///
/// async fn find(instance: &InstanceHandle) -> Result<Option<InstanceStatus>, HubError> {
///     match instance.status().await {
///         Ok(status) => Ok(Some(status)),
///         Err(HubError::NoSuchInstance(_)) => Ok(None),
///         Err(error) => Err(error),
///     }
/// }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The hub was shut down.
    #[error("the task hub was shut down; open it again to continue")]
    ShutDown,
    /// The store failed, which stopped the hub.
    #[error(
        "the task hub stopped because its store failed; nothing acknowledged is lost: remove the \
         cause and open the hub again"
    )]
    Store(#[from] StoreError),
    /// The partition of the instance is parked, because some of its stored data cannot be read. The
    /// other partitions continue. The request was not carried out. One exception: an entity operation
    /// that was already in the queue of its entity is carried out once the partition is retried.
    #[error(
        "partition {partition} of the task hub is parked: {reason}; repair its stored data, then retry \
         the partition with `TaskHub::retry_partition` or `durable hub retry-partition`"
    )]
    Parked {
        /// The partition.
        partition: PartitionId,
        /// Why it was parked.
        reason: String,
    },
    /// The process that owns the partition of the instance cannot read the request, because it runs
    /// another release of this library. The request was not carried out.
    #[error(
        "the process that owns partition {partition} cannot read the request: {reason}; the request was \
         not carried out: run the same release of `durable` in all processes of the hub, and repeat it"
    )]
    RequestNotUnderstood {
        /// The partition.
        partition: PartitionId,
        /// Why the request cannot be read.
        reason: String,
    },
    /// The answer of the process that owns the partition of the instance cannot be read, because that
    /// process runs another release of this library. The request was carried out or refused.
    #[error(
        "the answer of the process that owns partition {partition} cannot be read: {reason}; find out \
         whether the request was carried out, and run the same release of `durable` in all processes \
         of the hub"
    )]
    AnswerNotUnderstood {
        /// The partition.
        partition: PartitionId,
        /// Why the answer cannot be read.
        reason: String,
    },
    /// The hub belongs to one process, so its partitions do not move.
    #[error(
        "the task hub belongs to one process, so its partitions cannot be pinned or frozen; open it on a \
         store that several processes share"
    )]
    NotShared,
    /// The async runtime on which the hub was opened has ended, which stopped the hub.
    #[error(
        "the task hub stopped because the runtime on which it was opened has ended; nothing \
         acknowledged is lost: open the hub again on a runtime that outlives it"
    )]
    RuntimeEnded,
    /// A thread of the hub panicked, which stopped the hub. Panics in the program's own functions
    /// do not stop the hub, so this is a bug in this library.
    #[error(
        "the task hub stopped because its thread `{thread}` {panic}; nothing acknowledged is lost: \
         report this as a bug in `durable`, and open the hub again"
    )]
    Panicked {
        /// The thread's name; `durable-3` is that of partition 3.
        thread: String,
        /// The panic's message and location.
        panic: String,
    },
    /// The id is invalid.
    #[error(transparent)]
    InvalidInstanceId(#[from] InvalidInstanceId),
    /// The instance does not exist. Every operation on an instance reports this variant:
    /// [`ManageError`], [`ResultError`] and the others wrap it as `Hub`.
    #[error("there is no instance `{0}`")]
    NoSuchInstance(InstanceId),
    /// The instance belongs to another orchestration.
    #[error(
        "instance `{instance_id}` belongs to orchestration `{found}`, not `{wanted}`; look it up as \
         `{found}`, or with `TaskHub::instance`, which accepts every orchestration"
    )]
    OtherOrchestration {
        /// The instance.
        instance_id: InstanceId,
        /// Its orchestration.
        found: String,
        /// The requested orchestration.
        wanted: String,
    },
    /// A stored value cannot be deserialized into the requested type.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl From<ParkedPartition> for HubError {
    fn from(ParkedPartition { partition, reason }: ParkedPartition) -> Self {
        Self::Parked { partition, reason }
    }
}

/// The error returned when a backup cannot be made. The hub continues, and the incomplete backup is
/// removed.
///
/// ```
/// use durable::TaskHub;
/// use durable::client::BackupError;
/// use durable::store::StoreError;
///
/// async fn back_up(hub: &TaskHub) -> Result<(), BackupError> {
///     match hub.backup("/backups/today").await {
///         Ok(report) => println!("{report:?}"),
///         Err(BackupError::Store(StoreError::Unsupported { .. })) => {
///             eprintln!("this store is backed up with the tools of its database");
///         }
///         Err(error) => return Err(error),
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The store cannot make backups, or could not make this one.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system refused to start a thread.
    #[error(
        "the backup cannot start its thread; raise the limit on threads (`ulimit -u`, or that of the \
         container), or try again later"
    )]
    Thread(#[source] Arc<std::io::Error>),
    /// The hub was shut down, or has failed.
    #[error(transparent)]
    Hub(#[from] HubError),
}

/// The error returned when an operation on an instance is refused. Nothing has changed.
///
/// ```
/// use durable::client::{InstanceHandle, ManageError};
///
/// /// Terminates an instance if it is still running.
/// async fn stop(instance: &InstanceHandle) -> Result<(), ManageError> {
///     match instance.terminate("no longer needed").await {
///         Err(ManageError::Finished { .. }) => Ok(()),
///         other => other,
///     }
/// }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManageError {
    /// The id is invalid.
    #[error(transparent)]
    InvalidInstanceId(#[from] InvalidInstanceId),
    /// The operation needs a running instance, and this one has ended.
    #[error("instance `{instance_id}` has ended: it is {status}")]
    Finished {
        /// The instance.
        instance_id: InstanceId,
        /// Its status.
        status: RuntimeStatus,
    },
    /// The operation needs an instance that has ended, and this one has not.
    #[error("instance `{instance_id}` is {status}, so it has not ended; terminate it first")]
    NotFinished {
        /// The instance.
        instance_id: InstanceId,
        /// Its status.
        status: RuntimeStatus,
    },
    /// Only failed instances can be rewound.
    #[error("instance `{instance_id}` is {status}; only a Failed instance can be rewound")]
    NotFailed {
        /// The instance.
        instance_id: InstanceId,
        /// Its status.
        status: RuntimeStatus,
    },
    /// After the failure the orchestrator continued with other work, which cannot be undone.
    #[error(
        "instance `{instance_id}` cannot be rewound: without the failures, its history does not fit \
         what the orchestrator did after them; start it again with `restart`\n{reason}"
    )]
    CannotRewind {
        /// The instance.
        instance_id: InstanceId,
        /// Where the history does not fit.
        reason: String,
    },
    /// The instance is suspended because its code is missing or does not fit.
    #[error(
        "the instance was not resumed, because its code is missing or does not fit its history; run \
         the program with code that fits, and the instance continues by itself\n{0}"
    )]
    StillSuspended(Suspension),
    /// The event has no name, or its payload cannot be serialized or is too large.
    #[error(transparent)]
    InvalidEvent(#[from] InvalidEvent),
    /// The disk is nearly full, and the rest is reserved for running instances; or commits wait for
    /// another resource, such as file descriptors. Operations that end work or free space are still
    /// accepted: [`suspend`](crate::InstanceHandle::suspend),
    /// [`terminate`](crate::InstanceHandle::terminate), [`purge`](crate::InstanceHandle::purge).
    #[error(
        "new work is refused while disk space or another resource is scarce; running instances \
         continue, and requests are accepted again once enough is free"
    )]
    NoRoom(#[source] StoreError),
    /// An instance could not be restarted.
    #[error(transparent)]
    Start(Box<StartError>),
    /// The hub could not answer.
    #[error(transparent)]
    Hub(#[from] HubError),
}

impl ManageError {
    pub(crate) fn no_such_instance(id: InstanceId) -> Self {
        Self::Hub(HubError::NoSuchInstance(id))
    }

    pub(crate) fn is_no_such_instance(&self) -> bool {
        matches!(self, Self::Hub(HubError::NoSuchInstance(_)))
    }
}

/// The error returned when an instance cannot be started.
///
/// ```
/// use durable::TaskHub;
/// use durable::client::{NamedCall, StartError};
///
/// async fn start_once(hub: &TaskHub, id: &str) -> Result<(), StartError> {
///     match hub.start_named(NamedCall::new("import").instance_id(id)).await {
///         Err(StartError::AlreadyExists { status, .. }) => println!("{id} is {status} already"),
///         other => drop(other?),
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The id is invalid.
    #[error(transparent)]
    InvalidInstanceId(#[from] InvalidInstanceId),
    /// The id is taken.
    #[error(
        "instance `{instance_id}` exists already and is {status}; start it under another id, or \
         get it with `TaskHub::find_instance`"
    )]
    AlreadyExists {
        /// The id.
        instance_id: InstanceId,
        /// The status of the existing instance.
        status: RuntimeStatus,
    },
    /// No orchestration of this name is registered.
    #[error(
        "orchestration {name} is not registered; registered: {registered}. A crate that is never \
         named in code is not linked, so its functions are not registered: write `use that_crate \
         as _;`, or register it with `TaskHub::builder().register::<..>()`"
    )]
    NotRegistered {
        /// The requested name and version.
        name: String,
        /// The registered orchestrations.
        registered: String,
    },
    /// The disk is nearly full, and the rest is reserved for running instances; or commits wait for
    /// another resource, such as file descriptors.
    #[error(
        "no instance is started while disk space or another resource is scarce; running instances \
         continue, and starts are accepted again once enough is free"
    )]
    NoRoom(#[source] StoreError),
    /// The trace context is invalid.
    #[error(transparent)]
    InvalidTraceContext(#[from] InvalidTraceContext),
    /// The call has an option that does not apply to a client's start.
    #[error("a call of `{name}` with `{option}` cannot be started; {instead}")]
    CallOption {
        /// The orchestration.
        name: String,
        /// The option, by the name of its method on [`Call`](crate::Call).
        option: &'static str,
        /// What to write instead.
        instead: &'static str,
    },
    /// The input cannot be serialized or read back, or is too large.
    #[error("the input of `{name}` cannot be stored")]
    InvalidInput {
        /// The orchestration.
        name: String,
        /// Why the input is invalid.
        #[source]
        reason: Box<InvalidPayload>,
    },
    /// The orchestrator cannot read the input as its parameters. Only
    /// [`check_input`](crate::TaskHub::check_input) says this; a start does not read the input.
    #[error("orchestration `{name}` cannot read the input as its parameters")]
    UnreadableInput {
        /// The orchestration.
        name: String,
        /// Why the input cannot be read.
        #[source]
        failure: Box<FailureDetails>,
    },
    /// The hub could not answer.
    #[error(transparent)]
    Hub(#[from] HubError),
}

/// The error returned when an entity operation is refused or fails.
///
/// ```
/// use durable::client::EntityError;
///
/// fn print(error: &EntityError) {
///     match error {
///         EntityError::Failed(failure) => println!("the operation failed: {failure}"),
///         EntityError::NoRoom(_) => println!("disk nearly full, try again later"),
///         other => println!("{other}"),
///     }
/// }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntityError<E = Error> {
    /// The operation failed or panicked; none of its changes was kept.
    #[error(transparent)]
    Failed(TaskFailed<E>),
    /// The key is invalid, or the input cannot be serialized or is too large. Nothing was sent.
    #[error(transparent)]
    InvalidOperation(#[from] InvalidOperation),
    /// No entity of this name is registered.
    #[error(
        "entity `{name}` is not registered; registered: {registered}. A crate that is never named in \
         code is not linked, so its entities are not registered: write `use that_crate as _;`, or \
         register it with `TaskHub::builder().register_entity::<..>()`"
    )]
    NotRegistered {
        /// The requested name.
        name: String,
        /// The registered entities.
        registered: String,
    },
    /// The stored state or the answer cannot be deserialized into the requested type.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The disk is nearly full, and the rest is reserved for running instances; or commits wait for
    /// another resource, such as file descriptors.
    #[error(
        "no operation is accepted while disk space or another resource is scarce; running instances \
         continue, and operations are accepted again once enough is free"
    )]
    NoRoom(#[source] StoreError),
    /// The hub could not answer.
    #[error(transparent)]
    Hub(#[from] HubError),
}

/// The error returned when an instance has no result.
///
/// ```
/// use durable::client::{InstanceHandle, ResultError};
///
/// async fn print(instance: &InstanceHandle) {
///     match instance.result_json().await {
///         Ok(output) => println!("{output}"),
///         Err(ResultError::Failed(failure)) => println!("failed: {failure}"),
///         Err(ResultError::Terminated(_)) => println!("terminated"),
///         Err(error) => println!("no result yet: {error}"),
///     }
/// }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultError<E = Error> {
    /// Its orchestrator returned an error, or panicked.
    #[error(transparent)]
    Failed(TaskFailed<E>),
    /// It is suspended because its code is missing or does not fit. It keeps its history and
    /// resumes when a hub is opened with that code.
    #[error("{0}")]
    Suspended(Suspension),
    /// It was terminated.
    #[error("instance `{0}` was terminated")]
    Terminated(InstanceId),
    /// Its result cannot be deserialized into the requested type.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The hub could not answer.
    #[error(transparent)]
    Hub(#[from] HubError),
}
