//! Where a task hub keeps its histories and messages.
//!
//! [`Store`] is the boundary: what is behind it makes no ids, reads no clock and knows nothing of
//! orchestrations. [`MemoryStore`] is the reference, [`SledStore`] keeps a folder.
//!
//! Read next: `commit.rs` (what is written at once), `memory.rs` (the simplest store that is right).

mod commit;
mod durability;
mod memory;
mod query;
mod shared;
mod sled;

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::commit::{Commit, EpisodeWrite, Epoch, PartitionState};
pub use self::durability::Durability;
pub use self::memory::MemoryStore;
pub use self::query::{InstanceFilter, InstancePage};
pub use self::sled::{SledOptions, SledStore};
use crate::protocol::{
    ExecutionId, FORMAT_VERSION, HistoryEvent, HubRecord, InstanceId, InstanceRecord, PartitionId,
    TaskMessage, Timestamp,
};

/// Where a task hub keeps its histories and messages.
///
/// # Contract
/// Each point is a test of the same name in `durable::testing::conformance` (feature `testing`),
/// which a new store runs as it stands.
///
/// 1. `a_hub_is_created_once`: [`create`](Self::create) writes the hub's record if there is none,
///    and gives the one that holds.
/// 2. `a_commit_is_all_or_nothing`: all parts of a [`Commit`] are visible together, or, if it is
///    refused, none.
/// 3. `an_acknowledged_commit_survives`: once [`commit`](Self::commit) has returned, its content is
///    found again after a crash of the process or of the machine at any later moment.
/// 4. `a_fenced_owner_commits_nothing`: [`claim`](Self::claim) raises a partition's epoch, and a
///    commit that names an older one fails with [`StoreError::Fenced`].
/// 5. `a_partition_is_touched_by_its_owner_only`: a commit that writes an episode, purges an instance
///    or consumes a message in a partition which it does not name fails with
///    [`StoreError::Fenced`]; messages may go anywhere.
/// 6. `history_is_kept_in_order`: the events of an execution come back in the order and with the
///    content in which they were appended, from any commit on.
/// 7. `history_is_appended_at_its_end`: an episode whose first event is not at the end of what is
///    there fails with [`StoreError::OutOfOrder`].
/// 8. `large_values_come_back_whole`: single values of many megabytes are kept like others.
/// 9. `messages_keep_their_order`: [`messages`](Self::messages) gives a partition's messages in the
///    order in which they were committed.
/// 10. `a_message_stays_until_it_is_consumed`: by a commit that says so.
/// 11. `active_instances_are_found`: [`load`](Self::load) names the instances of the partition whose
///     record says that they are active, and no others.
/// 12. `the_store_makes_nothing_up`: ids, times and counts are the caller's and come back as given.
/// 13. `partitions_do_not_see_each_other`: what [`load`](Self::load) and [`due`](Self::due) give is
///     the partition's own.
/// 14. `due_instances_are_found`: [`due`](Self::due) gives instances in the order in which they are
///     due, each at the time that its last record names, and none whose record names no time.
/// 15. `a_replaced_history_is_gone`: an episode that replaces an execution leaves nothing of that
///     execution's history, be it from earlier commits or from the same.
/// 16. `a_purged_instance_is_gone`: neither its record nor the history of any of its executions is
///     found again, nor is it due or active; the same id may be used again, and messages to it are
///     kept. A commit that writes an episode of it as well fails with
///     [`StoreError::WrittenAndPurged`].
/// 17. `instances_are_found_by_page`: [`instances`](Self::instances) gives all that the filter lets
///     through, each once, in the order of their ids, however small the pages are.
/// 18. `messages_are_found_by_page`: a message has one place in its partition from its commit on,
///     behind those of all that were there before it, and after a crash the same;
///     [`messages`](Self::messages) gives those that lie in a range of places and are for one
///     instance, if one is named, and [`load`](Self::load) the place behind the last.
///
/// # Threads
/// Methods are called from several threads at once and may block: the hub never calls them on a
/// thread of an async runtime. So a store in another process needs no other interface; it waits for
/// its answers where it is called.
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Creates the hub if there is none, and gives the record that holds.
    ///
    /// # Errors
    /// The store failed, or holds a format that this release does not know.
    fn create(&self, hub: &HubRecord) -> Result<HubRecord, StoreError>;

    /// Takes a partition over from whoever had it; the epoch goes into every commit from now on.
    ///
    /// # Errors
    /// The store failed.
    fn claim(&self, partition: PartitionId) -> Result<Epoch, StoreError>;

    /// What the owner of a partition has to know to go on with it.
    ///
    /// # Errors
    /// The store failed.
    fn load(&self, partition: PartitionId) -> Result<PartitionState, StoreError>;

    /// The messages of a partition that nobody has consumed and whose place lies in `places`, in
    /// order, each with its place: the first `limit` of them, or of those to the instance `to`. Fewer
    /// than `limit` are all.
    ///
    /// A message gets its place when it is committed. It is greater than that of any message of the
    /// partition before it, and no other message has it while the store is open.
    ///
    /// A long page may be read in parts: what is consumed meanwhile may be found or not.
    ///
    /// # Errors
    /// The store failed.
    fn messages(
        &self,
        partition: PartitionId,
        to: Option<&InstanceId>,
        places: Range<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, TaskMessage)>, StoreError>;

    /// Writes a group of episodes and messages, atomically and durably.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::OutOfOrder`] and [`StoreError::WrittenAndPurged`] for a
    /// commit that may not be; anything else means that the store has failed and may have written
    /// the group or not.
    fn commit(&self, commit: &Commit) -> Result<(), StoreError>;

    /// The record of an instance.
    ///
    /// # Errors
    /// The store failed.
    fn instance(&self, instance: &InstanceId) -> Result<Option<InstanceRecord>, StoreError>;

    /// The instances of a partition that are due until (and at) `until`, in the order of the times
    /// at which they are, then of their ids: at most `limit`, and only those behind `after`.
    ///
    /// # Errors
    /// The store failed.
    fn due(
        &self,
        partition: PartitionId,
        after: Option<&(Timestamp, InstanceId)>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, InstanceId)>, StoreError>;

    /// Instances of all partitions that `filter` lets through, in the order of their ids: those
    /// behind `after`, at most `limit` (0 counts as 1). A page may be short, or empty, though more
    /// follow; what changes meanwhile is found as it was or as it is.
    ///
    /// # Errors
    /// The store failed.
    fn instances(
        &self,
        filter: &InstanceFilter,
        after: Option<&InstanceId>,
        limit: usize,
    ) -> Result<InstancePage, StoreError>;

    /// The events of an execution from the one with index `from` on, which must be the first of an
    /// episode.
    ///
    /// # Errors
    /// The store failed.
    fn history(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        from: u64,
    ) -> Result<Vec<HistoryEvent>, StoreError>;

    /// Whether there is room for new work. The hub asks before it accepts any; what runs already
    /// goes on, so a store answers no while it has room left for that. Most stores have always room.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`]; [`StoreError::Exhausted`] while commits wait for another resource; or
    /// what keeps the store from telling.
    fn check_room(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// How much memory and disk the store uses, if it knows; asked after each commit.
    fn usage(&self) -> Usage {
        Usage::default()
    }

    /// The hub stops: a commit that waits for room, now or later, fails at once. The next
    /// [`create`](Self::create) takes that back, since it comes from the next hub on this store.
    fn give_up(&self) {}
}

/// How much a store uses, in bytes; 0 for what it does not know or does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Memory for what was committed and is not where it stays.
    pub overlay_bytes: u64,
    /// The files of the commit log.
    pub log_bytes: u64,
    /// The files of what stays, as of the last checkpoint.
    pub tree_bytes: u64,
}

/// A store could not do what it was asked for.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody has the folder open.
    #[error("`{}` is already open{}; close it there first", .path.display(), in_process(*.owner))]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process that has it open, if it left its number.
        owner: Option<u32>,
    },
    /// Another owner has claimed a partition of this commit.
    #[error("partition {0} was taken over by another owner; this one must stop")]
    Fenced(PartitionId),
    /// An episode does not begin where the history ends.
    #[error(
        "the history of `{instance}` has {found} events, and an episode was to begin at {expected}"
    )]
    OutOfOrder {
        /// The instance.
        instance: InstanceId,
        /// How many events there are.
        found: u64,
        /// Where the episode begins.
        expected: u64,
    },
    /// A commit writes an episode of an instance that it purges, so what was to be left is not said.
    #[error("`{instance}` is written and purged by one commit; purge it in another")]
    WrittenAndPurged {
        /// The instance.
        instance: InstanceId,
    },
    /// The store was written by a release that knows more.
    #[error(
        "`{}` has format {found}, and this release knows none above {known}; open it with a newer \
         release", .path.display()
    )]
    UnknownFormat {
        /// The folder.
        path: PathBuf,
        /// What was found.
        found: u8,
        /// What is known.
        known: u8,
    },
    /// The disk is so nearly full that writing might not end well.
    #[error(
        "the disk of `{}` has {available} bytes left, and {needed} are needed; free some space",
        .path.display()
    )]
    DiskFull {
        /// The folder.
        path: PathBuf,
        /// How many bytes there are.
        available: u64,
        /// How many there must be.
        needed: u64,
    },
    /// What is stored is not what was written.
    #[error("the store is damaged: {what}; {}", Self::REMEDY)]
    Damaged {
        /// What was found, and where.
        what: String,
    },
    /// The commit log is not what was written: something is missing that was acknowledged.
    ///
    /// A folder that was copied while its hub was running may look like this: the parts of such a copy
    /// are of different moments.
    #[error(
        "`{}` is damaged at byte {offset}: {what}; {}; if this folder was copied while its hub was \
         running, copy it again after `TaskHub::shutdown`, or from a snapshot of the file system",
        .file.display(), Self::REMEDY
    )]
    LogDamaged {
        /// The file, or the folder of the log if a file is missing.
        file: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What was found.
        what: String,
    },
    /// The store was opened to be read.
    #[error(
        "the store was opened with `SledStore::read_only`; open it with `SledStore::open` to write"
    )]
    ReadOnly,
    /// The operating system refused.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The operating system lacks something for now: file descriptors, memory, room on the disk.
    /// Nothing was changed. A [`SledStore`] tries again until it succeeds or is told to
    /// [give up](Store::give_up).
    #[error(
        "{doing}, since the system lacks descriptors, memory or disk space for now; close what is not \
         needed, or raise the limit or quota"
    )]
    Exhausted {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The folder of an open store was moved, removed or replaced by another.
    #[error(
        "`{}` was moved, removed or replaced while the store was open; nothing more is accepted: \
         put it back and open the store anew", .path.display()
    )]
    FolderMoved {
        /// The folder or file that is not there any more.
        path: PathBuf,
    },
    /// The store panicked, which no store should do.
    #[error(
        "the store panicked while {doing}: {panic}; what it holds in memory may be wrong: report the \
         panic to the author of the store, and open it anew"
    )]
    Panicked {
        /// What it was asked for.
        doing: String,
        /// What the panic said, and where it happened.
        panic: String,
    },
    /// An earlier write failed, so what is on the disk is not certain until it is opened anew.
    #[error(
        "an earlier write failed ({cause}); nothing more is accepted until the store is opened anew"
    )]
    Poisoned {
        /// What had failed.
        cause: String,
    },
}

impl StoreError {
    const REMEDY: &str = "keep a copy of the folder, restore a backup of it, or save what can be \
                          read with `SledStore::read_only`";

    pub(crate) fn io(doing: impl Into<String>, source: io::Error) -> Self {
        Self::Io { doing: doing.into(), source: Arc::new(source) }
    }

    /// An error of what left everything as it was.
    pub(crate) fn io_or_exhausted(doing: impl Into<String>, source: io::Error) -> Self {
        let (doing, is_passing) = (doing.into(), sled::is_passing(&source));
        let source = Arc::new(source);
        if is_passing { Self::Exhausted { doing, source } } else { Self::Io { doing, source } }
    }

    /// Whether the same can be tried again: nothing was changed, and the cause may pass by itself.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::DiskFull { .. } | Self::Exhausted { .. })
    }

    /// The error of what a newer release wrote, if it is this one's format that is older.
    fn newer_format(found: u8) -> Option<Self> {
        let known = FORMAT_VERSION;
        (found > known).then(|| Self::UnknownFormat { path: PathBuf::new(), found, known })
    }

    /// The same error, which says in which folder it was found.
    fn with_folder(self, path: &Path) -> Self {
        match self {
            Self::Damaged { what } => {
                Self::Damaged { what: format!("in `{}`, {what}", path.display()) }
            }
            Self::UnknownFormat { found, known, .. } => {
                Self::UnknownFormat { path: path.to_owned(), found, known }
            }
            error => error,
        }
    }

    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }
}

/// Where a folder is open, for messages.
pub(crate) fn in_process(owner: Option<u32>) -> String {
    match owner {
        Some(pid) if pid == std::process::id() => format!(" in this process ({pid})"),
        Some(pid) => format!(" in process {pid}"),
        None => String::new(),
    }
}

/// An error and its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}
