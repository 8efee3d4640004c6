//! Why a hub cannot be opened.

use std::path::PathBuf;

use crate::engine::KEPT;
use crate::protocol::{InstanceId, Suspension};
use crate::registry::RegistryError;
use crate::store::{StoreError, in_process};

/// The error returned when a task hub cannot be opened.
///
/// ```
/// use durable::TaskHub;
/// use durable::client::OpenError;
///
/// async fn open(path: &str) -> Result<TaskHub, OpenError> {
///     let opened = TaskHub::open(path).await;
///     if let Err(OpenError::InUse { owner: Some(process), .. }) = &opened {
///         eprintln!("process {process} has the folder open");
///     }
///     opened
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder is already open.
    #[error(
        "the task hub at `{}` is already open{}; a folder has one owner at a time: \
         stop the other hub or open another folder",
        .path.display(),
        in_process(*.owner)
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process that has it open, if known.
        owner: Option<u32>,
    },
    /// The registered functions conflict with each other.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Activities take shared state that was not given to the builder.
    #[error("shared state is missing: {}; pass it to `TaskHub::builder().state(..)`", .0.join(", "))]
    MissingState(Vec<String>),
    /// Transactional activities are registered whose transactions the store does not have.
    #[error(
        "the store has no transactions of the types that transactional activities take: {}; open \
         the hub on the store of these transactions, or use `only_registered` and register other functions",
        .0.join(", ")
    )]
    MissingTransactions(Vec<String>),
    /// The store was created with a different number of partitions.
    #[error(
        "the task hub was created with {found} partitions, which cannot be changed later, so it cannot \
         be opened with {wanted}; leave `partitions` out"
    )]
    Partitions {
        /// The number in the store.
        found: u16,
        /// The number given to the builder.
        wanted: u16,
    },
    /// With [`verify_on_open`](crate::client::TaskHubBuilder::verify_on_open): these instances do
    /// not fit the code of this program. Nothing was changed.
    #[error(
        "unfinished instances whose histories do not fit this code: {}; nothing was changed\n{}",
        .0.len(), list(.0)
    )]
    IncompatibleInstances(Vec<(InstanceId, Suspension)>),
    /// A setting of the builder is invalid.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Opening panicked, in a store or in the library.
    #[error(
        "opening the task hub {panic}; nothing runs: unless the panic comes from a store of \
         your own, report this as a bug in `durable`"
    )]
    Panicked {
        /// The message and location of the panic.
        panic: String,
    },
    /// The operating system refused to start a thread.
    #[error(
        "the task hub cannot start its threads; nothing was started: raise the limit on threads \
         (`ulimit -u`, or that of the container), or open the hub with fewer `partitions`"
    )]
    Thread(
        #[source]
        #[from]
        std::io::Error,
    ),
}

/// An invalid setting of a [`TaskHubBuilder`](crate::client::TaskHubBuilder).
///
/// ```
/// use durable::TaskHub;
/// use durable::client::{InvalidSetting, OpenError};
///
/// # #[tokio::main]
/// # async fn main() {
/// // Neither a path nor a store.
/// let error = TaskHub::builder().only_registered().open().await.unwrap_err();
/// assert!(matches!(error, OpenError::Setting(InvalidSetting::NoStore)));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSetting {
    /// A number is zero.
    #[error("`{option}` must be at least 1")]
    Zero {
        /// The option, by the name of its method.
        option: &'static str,
    },
    /// Both a store and a durability were given.
    #[error(
        "`durability` applies only to a hub in a folder, given with `.path(..)`; for `.store(..)`, \
         configure the store itself, for example with `SledStore::options().durability(..)`"
    )]
    DurabilityOfStore,
    /// No store was given.
    #[error("a task hub needs a store; use {}", STORES)]
    NoStore,
}

/// How a builder is given a store.
const STORES: &str = if cfg!(feature = "sled") {
    "`TaskHub::builder().path(..)`, `.store(..)` or `.in_memory()`"
} else {
    "`TaskHub::builder().store(..)` or `.in_memory()`"
};

fn list(stuck: &[(InstanceId, Suspension)]) -> String {
    // The reports say that the instance stays suspended, which is untrue here: it was not changed.
    let report = |suspension: &Suspension| suspension.reason.replace(KEPT, "").trim().to_owned();
    let reports: Vec<_> = stuck.iter().map(|(_, suspension)| report(suspension)).collect();
    reports.join("\n")
}
