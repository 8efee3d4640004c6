//! What a hub could not do, and what to do about it: one error for each operation.

use std::path::PathBuf;

use crate::engine::KEPT;
use crate::error::{Error, TaskFailed};
use crate::protocol::{
    InstanceId, InvalidInstanceId, InvalidTraceContext, RuntimeStatus, Suspension,
};
use crate::registry::RegistryError;
use crate::store::{StoreError, in_process};

/// A task hub could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Somebody has the folder open.
    #[error(
        "the task hub at `{}` is already open{}; a folder has one owner at a time: stop the other \
         one or open another folder",
        .path.display(),
        in_process(*.owner)
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process that has it open, if it left its number.
        owner: Option<u32>,
    },
    /// Registered functions contradict each other.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Activities want shared state that the builder was not given.
    #[error("shared state is missing: {}; give it with `TaskHub::builder().state(..)`", .0.join(", "))]
    MissingState(Vec<String>),
    /// The store was created with another number of partitions.
    #[error(
        "the task hub was created with {found} partitions and cannot be opened with {wanted}: the \
         number is fixed at creation; leave it out to use that number"
    )]
    Partitions {
        /// The number in the store.
        found: u16,
        /// The number given to the builder.
        wanted: u16,
    },
    /// With [`verify_on_open`](crate::client::TaskHubBuilder::verify_on_open): these instances
    /// would not go on with the code of this program. Nothing was changed.
    #[error(
        "unfinished instances that would not go on with this code: {}. Nothing was changed\n{}",
        .0.len(), list(.0)
    )]
    WouldNotGoOn(Vec<(InstanceId, Suspension)>),
    /// A setting of the builder makes no sense.
    #[error("{0}")]
    Setting(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system refused a thread.
    #[error(
        "the task hub cannot start its threads; nothing was started: raise the limit of threads \
         (`ulimit -u`, or that of the container), or open it with fewer `partitions`"
    )]
    Thread(#[source] std::io::Error),
}

/// The hub has stopped, or does not have what was asked for.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The hub was shut down.
    #[error("the task hub was shut down; open it again to go on")]
    ShutDown,
    /// The store failed, and the hub with it.
    #[error(
        "the task hub stopped because its store failed; nothing acknowledged is lost: remove the \
         cause and open the hub again"
    )]
    Store(#[from] StoreError),
    /// The async runtime on which the hub was opened has ended, and the hub with it.
    #[error(
        "the task hub stopped because the runtime on which it was opened has ended; nothing \
         acknowledged is lost: open it again on a runtime that lives as long as the hub"
    )]
    RuntimeEnded,
    /// A thread of the hub panicked, and the hub stopped. Panics of the program's own functions do
    /// not do that: this one is a bug of the library.
    #[error(
        "the task hub stopped because its thread `{thread}` {panic}; nothing acknowledged is lost: \
         report this as a bug of `durable`, and open the hub again"
    )]
    Panicked {
        /// The thread's name; `durable-3` is that of partition 3.
        thread: String,
        /// What the panic said, and where it happened.
        panic: String,
    },
    /// The id breaks a rule.
    #[error(transparent)]
    InvalidInstanceId(#[from] InvalidInstanceId),
    /// There is no such instance. Every operation on an instance says it with this variant:
    /// [`ManageError`], [`ResultError`] and the others wrap it as `Hub`.
    #[error("there is no instance `{0}`")]
    NoSuchInstance(InstanceId),
    /// The instance is one of another orchestration.
    #[error(
        "instance `{instance_id}` is of orchestration `{found}`, not `{wanted}`; ask for it as that, or \
         with `TaskHub::instance`, which takes any"
    )]
    OtherOrchestration {
        /// The instance.
        instance_id: InstanceId,
        /// Its orchestration.
        found: String,
        /// The orchestration that was asked for.
        wanted: String,
    },
    /// What is stored cannot be read as the type that is asked for.
    #[error("{what} cannot be read: {reason}")]
    Unreadable {
        /// What it is.
        what: String,
        /// What `serde` said.
        reason: String,
    },
}

/// Something was wanted of an instance that could not be done. Nothing has changed then.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManageError {
    /// The id breaks a rule.
    #[error(transparent)]
    InvalidInstanceId(#[from] InvalidInstanceId),
    /// The instance has ended, and it would have to be running.
    #[error("instance `{instance_id}` has ended: it is {status}")]
    Finished {
        /// The instance.
        instance_id: InstanceId,
        /// How it has ended.
        status: RuntimeStatus,
    },
    /// The instance is running, and it would have to have ended.
    #[error("instance `{instance_id}` is {status}, so it has not ended; terminate it first")]
    NotFinished {
        /// The instance.
        instance_id: InstanceId,
        /// How far it is.
        status: RuntimeStatus,
    },
    /// Only what has failed can be rewound.
    #[error("instance `{instance_id}` is {status}; only one that is Failed can be rewound")]
    NotFailed {
        /// The instance.
        instance_id: InstanceId,
        /// How it has ended.
        status: RuntimeStatus,
    },
    /// After the failure the orchestrator did other things, which cannot be undone.
    #[error(
        "instance `{instance_id}` cannot be rewound: without its failures its history does not fit \
         what the orchestrator did after them; start it anew with `restart`\n{reason}"
    )]
    CannotRewind {
        /// The instance.
        instance_id: InstanceId,
        /// Where the history no longer fits.
        reason: String,
    },
    /// The instance waits for other code than this program has.
    #[error("{0}")]
    StillSuspended(Suspension),
    /// The event has no name, or what it carries has no JSON form or is too large.
    #[error("{0}")]
    InvalidEvent(Box<Error>),
    /// The disk is nearly full, and what is left is kept for running instances; or commits wait for
    /// another resource that the system lacks for now, such as file descriptors. What ends work or
    /// frees room is not refused: [`suspend`](crate::InstanceHandle::suspend),
    /// [`terminate`](crate::InstanceHandle::terminate), [`purge`](crate::InstanceHandle::purge).
    #[error(
        "nothing that makes an instance do more is accepted while the system has too little room for \
         it; running instances continue, and requests are accepted again when there is room"
    )]
    NoRoom(#[source] StoreError),
    /// An instance could not be started again.
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

    pub(crate) fn invalid_event(error: Error) -> Self {
        Self::InvalidEvent(Box::new(error))
    }
}

/// An instance could not be started.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The id breaks a rule.
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
        /// How far the existing instance is.
        status: RuntimeStatus,
    },
    /// No registered orchestration has the name.
    #[error(
        "orchestration {name} is not registered; registered: {registered}. A crate that is never \
         named in code is not linked, and what it annotates not registered: write `use that_crate \
         as _;`, or register it with `TaskHub::builder().register::<..>()`"
    )]
    NotRegistered {
        /// Name and version that were asked for.
        name: String,
        /// What there is.
        registered: String,
    },
    /// The disk is nearly full, and what is left is kept for running instances; or commits wait for
    /// another resource that the system lacks for now, such as file descriptors.
    #[error(
        "no instance is started while the system has too little room for it; running instances \
         continue, and starts are accepted again when there is room"
    )]
    NoRoom(#[source] StoreError),
    /// The trace context that was given is none.
    #[error(transparent)]
    InvalidTraceContext(#[from] InvalidTraceContext),
    /// The call has an option that has no effect in a client's start.
    #[error("a call of `{name}` with `{option}` cannot be started; {instead}")]
    CallOption {
        /// The orchestration.
        name: String,
        /// The option, by the name of its method on [`Call`](crate::Call).
        option: &'static str,
        /// What to write instead.
        instead: &'static str,
    },
    /// The input has no JSON form, cannot be read again, or is too large.
    #[error("the input of `{name}` cannot be stored: {reason}")]
    InvalidInput {
        /// The orchestration.
        name: String,
        /// What `serde` said.
        reason: String,
    },
    /// The hub could not answer.
    #[error(transparent)]
    Hub(#[from] HubError),
}

/// An entity could not be asked, or did not do what it was asked for.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntityError<E = Error> {
    /// The operation failed or panicked, and left nothing behind.
    #[error(transparent)]
    Failed(TaskFailed<E>),
    /// The key breaks a rule, or the input has no JSON form or is too large. Nothing was sent.
    #[error("{0}")]
    InvalidOperation(String),
    /// No registered entity has the name.
    #[error(
        "entity `{name}` is not registered; registered: {registered}. A crate that is never named in \
         code is not linked, and what it annotates not registered: write `use that_crate as _;`, or \
         register it with `TaskHub::builder().register_entity::<..>()`"
    )]
    NotRegistered {
        /// The name that was asked for.
        name: String,
        /// What there is.
        registered: String,
    },
    /// What is stored or was answered cannot be read as the type that is asked for.
    #[error("{what} cannot be read: {reason}")]
    Unreadable {
        /// What it is.
        what: String,
        /// What `serde` said.
        reason: String,
    },
    /// The disk is nearly full, and what is left is kept for running instances; or commits wait for
    /// another resource that the system lacks for now, such as file descriptors.
    #[error(
        "no operation is accepted while the system has too little room for it; running instances \
         continue, and operations are accepted again when there is room"
    )]
    NoRoom(#[source] StoreError),
    /// The hub could not answer.
    #[error(transparent)]
    Hub(#[from] HubError),
}

/// An instance has no result.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultError<E = Error> {
    /// Its orchestrator returned an error, or panicked.
    #[error(transparent)]
    Failed(TaskFailed<E>),
    /// It waits for other code than this process has. It keeps its history and goes on when a hub
    /// is opened with that code.
    #[error("{0}")]
    Suspended(Suspension),
    /// It was ended from outside.
    #[error("instance `{0}` was terminated")]
    Terminated(InstanceId),
    /// It returned something that cannot be read as the type that is asked for.
    #[error("the result of instance `{instance_id}` cannot be read: {reason}")]
    Unreadable {
        /// The instance.
        instance_id: InstanceId,
        /// What `serde` said.
        reason: String,
    },
    /// The hub could not answer.
    #[error(transparent)]
    Hub(#[from] HubError),
}

fn list(stuck: &[(InstanceId, Suspension)]) -> String {
    // That an instance is suspended is not true here: nothing was done to it.
    let report = |suspension: &Suspension| suspension.reason.replace(KEPT, "").trim().to_owned();
    let reports: Vec<_> = stuck.iter().map(|(_, suspension)| report(suspension)).collect();
    reports.join("\n")
}
