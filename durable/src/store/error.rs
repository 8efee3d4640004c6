//! Errors of a store, and whether the same call may succeed later.

use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::protocol::codec::CodecError;
use crate::protocol::{FORMAT_VERSION, InstanceId, PartitionId};

/// The error of a call to a store.
///
/// A store outside this crate reports errors of its database or driver with
/// [`backend`](Self::backend) and [`unavailable`](Self::unavailable), and unreadable data with
/// [`damaged`](Self::damaged) or a [`CodecError`].
///
/// ```
/// use durable::store::StoreError;
///
/// fn connect(url: &str) -> Result<(), StoreError> {
///     let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
///     Err(StoreError::unavailable(format!("cannot connect to `{url}`"), refused))
/// }
///
/// assert!(connect("db:5432").unwrap_err().is_transient());
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process, or another store in this process, has the folder open.
    #[error("`{}` is already open{}; close it there first", .path.display(), in_process(*.owner))]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The id of the process that has the folder open, if known.
        owner: Option<u32>,
    },
    /// The commit names partitions that another owner has since claimed, or touches partitions that
    /// it does not name.
    #[error("{} taken over by another owner; this one must stop", were_taken(.partitions))]
    Fenced {
        /// All such partitions, in the order in which the commit names or touches them.
        partitions: Vec<PartitionId>,
    },
    /// An episode does not begin where the history ends.
    #[error(
        "the history of `{instance}` has {found} events, but the episode to write begins at {expected}"
    )]
    OutOfOrder {
        /// The instance.
        instance: InstanceId,
        /// The number of stored events.
        found: u64,
        /// The index at which the episode begins.
        expected: u64,
    },
    /// A commit writes an episode of an instance that it also purges.
    #[error("`{instance}` is written and purged by the same commit; purge it in another one")]
    WrittenAndPurged {
        /// The instance.
        instance: InstanceId,
    },
    /// A newer release wrote the store.
    #[error(
        "`{location}` has format {found}, but this release knows none above {known}; open it with a \
         newer release"
    )]
    UnknownFormat {
        /// The folder, database or record that has the format.
        location: String,
        /// The format that was found.
        found: u8,
        /// The newest format that this release knows.
        known: u8,
    },
    /// The disk is so full that a write might not complete.
    #[error(
        "the disk of `{}` has {available} bytes left, but {needed} are needed; free some space",
        .path.display()
    )]
    DiskFull {
        /// The folder.
        path: PathBuf,
        /// Number of free bytes.
        available: u64,
        /// Number of bytes that must be free.
        needed: u64,
    },
    /// Stored data is corrupt.
    #[error("the store is damaged: {what}; {remedy}")]
    Damaged {
        /// What was found, and where.
        what: String,
        /// What to do about it.
        remedy: Cow<'static, str>,
    },
    /// The partition is parked, because some of its stored data cannot be read.
    #[error(
        "partition {partition} is parked: {reason}; repair its stored data, then retry the partition"
    )]
    Parked {
        /// The partition.
        partition: PartitionId,
        /// Why it was parked.
        reason: String,
    },
    /// The commit log is damaged: acknowledged data is missing.
    #[error("`{}` is damaged at byte {offset}: {what}; {remedy}", .file.display())]
    LogDamaged {
        /// The file, or the folder of the log if a file is missing.
        file: PathBuf,
        /// The offset in the file.
        offset: u64,
        /// What was found.
        what: String,
        /// What to do about it.
        remedy: Cow<'static, str>,
    },
    /// The store has no such operation.
    #[error("this kind of store does not support {what}; use the tools of its database")]
    Unsupported {
        /// What is not supported, as a plural noun.
        what: Cow<'static, str>,
    },
    /// A backup cannot be written to this folder.
    #[error("cannot write a backup to `{}`: {what}; choose a folder that does not exist", .path.display())]
    BackupTarget {
        /// The folder.
        path: PathBuf,
        /// What is wrong with the folder.
        what: Cow<'static, str>,
    },
    /// The hub was stopped before a backup was complete. Nothing is left of the backup.
    #[error("the backup to `{}` was stopped, because the hub stopped; start it again", .path.display())]
    BackupStopped {
        /// The folder.
        path: PathBuf,
    },
    /// The store was opened for reading only.
    #[error("the store was opened for reading only; open it for writing")]
    ReadOnly,
    /// A system call failed.
    #[error("{doing}")]
    Io {
        /// What failed, such as "cannot open `hub.db`".
        doing: String,
        /// The error of the system.
        source: Arc<io::Error>,
    },
    /// The system temporarily lacks a resource: file descriptors, memory, disk space. Nothing was
    /// changed.
    #[error(
        "{doing}, because the system lacks file descriptors, memory or disk space; free some, or raise \
         the limit or quota"
    )]
    Exhausted {
        /// What failed.
        doing: String,
        /// The error of the system.
        source: Arc<io::Error>,
    },
    /// The back end (a database, a driver, a service) reported an error.
    #[error("{doing}")]
    Backend {
        /// What failed, such as "cannot commit".
        doing: String,
        /// The error of the back end.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The back end cannot be reached or is too busy for now. Nothing was changed.
    #[error("{doing}; try again when the back end of the store is available")]
    Unavailable {
        /// What failed.
        doing: String,
        /// The error of the back end.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The folder of an open store was moved, removed or replaced by another.
    #[error(
        "`{}` was moved, removed or replaced while the store was open; nothing more is accepted: \
         put it back and reopen the store", .path.display()
    )]
    FolderMoved {
        /// The folder or file that is gone.
        path: PathBuf,
    },
    /// The store panicked, which is a bug in it.
    #[error(
        "the store panicked while {doing}: {panic}; its state in memory may be wrong: report the \
         panic to the author of the store, and reopen it"
    )]
    Panicked {
        /// The call that panicked.
        doing: String,
        /// The panic's message and location.
        panic: String,
    },
    /// An earlier write failed, so it is uncertain what is durable until the store is reopened.
    #[error(
        "an earlier write failed ({cause}); nothing more is accepted until the store is reopened"
    )]
    Poisoned {
        /// The earlier error.
        cause: String,
    },
}

impl StoreError {
    const REMEDY: &str = "keep a copy of what is stored, then restore a backup";

    /// Creates a [`Fenced`](Self::Fenced) error: another owner has claimed these partitions.
    ///
    /// ```
    /// use durable::protocol::PartitionId;
    /// use durable::store::StoreError;
    ///
    /// let error = StoreError::fenced([PartitionId(3)]);
    /// assert!(error.to_string().starts_with("partition 3 was taken over"));
    /// ```
    pub fn fenced(partitions: impl IntoIterator<Item = PartitionId>) -> Self {
        Self::Fenced { partitions: partitions.into_iter().collect() }
    }

    /// Creates a [`Damaged`](Self::Damaged) error. `what` says what was found, and where.
    ///
    /// ```
    /// use durable::store::StoreError;
    ///
    /// let error = StoreError::damaged("table `epoch` has two rows of partition 3");
    /// assert!(error.to_string().contains("two rows"));
    /// ```
    pub fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into(), remedy: Cow::Borrowed(Self::REMEDY) }
    }

    /// Creates an [`Io`](Self::Io) error: a system call failed, and may have changed something.
    ///
    /// ```
    /// use durable::store::StoreError;
    ///
    /// let refused = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    /// let error = StoreError::io("cannot open `hub.db`", refused);
    /// assert_eq!(error.to_string(), "cannot open `hub.db`");
    /// ```
    pub fn io(doing: impl Into<String>, source: io::Error) -> Self {
        Self::Io { doing: doing.into(), source: Arc::new(source) }
    }

    /// Creates a [`Backend`](Self::Backend) error. `doing` says what failed, such as "cannot
    /// commit".
    ///
    /// ```
    /// use durable::store::StoreError;
    ///
    /// let error = StoreError::backend("cannot commit", "syntax error at or near `SLECT`");
    /// assert_eq!(error.to_string(), "cannot commit");
    /// assert!(!error.is_transient());
    /// ```
    pub fn backend(
        doing: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Backend { doing: doing.into(), source: Arc::from(source.into()) }
    }

    /// Creates an [`Unavailable`](Self::Unavailable) error: the back end cannot be reached or is
    /// too busy, and nothing was changed, so the same call may succeed later.
    ///
    /// ```
    /// use durable::store::StoreError;
    ///
    /// let error = StoreError::unavailable("cannot read a history", "too many connections");
    /// assert!(error.is_transient());
    /// ```
    pub fn unavailable(
        doing: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Unavailable { doing: doing.into(), source: Arc::from(source.into()) }
    }

    /// Returns `true` if the same call may succeed later: nothing was changed, and the cause may
    /// pass.
    ///
    /// The hub itself does not retry such a call. A store that can wait does so, and returns the
    /// error only when it has to [give up](super::Store::give_up). Callers of the hub can use this
    /// method to decide whether to retry.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::DiskFull { .. } | Self::Exhausted { .. } | Self::Unavailable { .. } => true,
            Self::InUse { .. }
            | Self::Fenced { .. }
            | Self::OutOfOrder { .. }
            | Self::WrittenAndPurged { .. }
            | Self::UnknownFormat { .. }
            | Self::Damaged { .. }
            | Self::Parked { .. }
            | Self::LogDamaged { .. }
            | Self::Unsupported { .. }
            | Self::BackupTarget { .. }
            | Self::BackupStopped { .. }
            | Self::ReadOnly
            | Self::Io { .. }
            | Self::Backend { .. }
            | Self::FolderMoved { .. }
            | Self::Panicked { .. }
            | Self::Poisoned { .. } => false,
        }
    }

    /// Whether something stored cannot be read, and cannot be read later either.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::UnknownFormat { .. })
    }

    /// Returns an error if `found` is newer than the formats that this release knows: a newer
    /// release wrote `location`. A store checks [`HubRecord::format`] when it is opened.
    ///
    /// [`HubRecord::format`]: crate::protocol::HubRecord::format
    ///
    /// ```
    /// use durable::protocol::FORMAT_VERSION;
    /// use durable::store::StoreError;
    ///
    /// assert!(StoreError::newer_format("hub.db", FORMAT_VERSION).is_none());
    /// assert!(StoreError::newer_format("hub.db", FORMAT_VERSION + 1).is_some());
    /// ```
    pub fn newer_format(location: impl Into<String>, found: u8) -> Option<Self> {
        let known = FORMAT_VERSION;
        (found > known).then(|| Self::UnknownFormat { location: location.into(), found, known })
    }
}

/// A record that a newer release wrote is an [`UnknownFormat`](StoreError::UnknownFormat); any
/// other that cannot be read is [`Damaged`](StoreError::Damaged).
impl From<CodecError> for StoreError {
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::UnknownVersion { what, found, known } => {
                Self::UnknownFormat { location: what.to_owned(), found, known }
            }
            error => Self::damaged(chain(&error)),
        }
    }
}

/// Names the process that has a folder open, for error texts.
pub(crate) fn in_process(owner: Option<u32>) -> String {
    match owner {
        Some(pid) if pid == std::process::id() => format!(" in this process ({pid})"),
        Some(pid) => format!(" in process {pid}"),
        None => String::new(),
    }
}

fn were_taken(partitions: &[PartitionId]) -> String {
    match partitions {
        [one] => format!("partition {one} was"),
        all => {
            let all: Vec<_> = all.iter().map(ToString::to_string).collect();
            format!("partitions {} were", all.join(", "))
        }
    }
}

/// An error and its causes, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}
