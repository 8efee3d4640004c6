//! The storage of a task hub: histories, messages and records.
//!
//! A hub keeps everything in a [`Store`]. [`SledStore`] keeps it in a folder, and [`MemoryStore`], the
//! reference implementation, in memory. [`EncodedStore`] wraps any store and encodes the values of
//! users, for example to encrypt them. A store on a database may also implement [`Cluster`], so that
//! several processes share a hub, and [`Transactions`], for transactional activities.
//!
//! ```
//! # use durable::prelude::*;
//! use durable::store::SledStore;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<()> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("hub");
//! # /*
//! let path = "./hub";
//! # */
//! let store = SledStore::options().overlay_bytes(64 << 20).open(path)?;
//! let hub = TaskHub::builder().store(store).open().await?;
//! # hub.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Writing a store
//! A store generates no ids, reads no clock and knows nothing about orchestrations.
//!
//! 1. Store records as bytes with [`codec`](crate::protocol::codec), so that every later release
//!    can read them; or field by field, if other programs have to read the store.
//! 2. Implement [`Store`]. In [`commit`](Store::commit), call [`Commit::check`] before anything is
//!    applied: it implements points 4, 5, 7 and 16 of the contract. [`InstanceFilter::matches`]
//!    implements the filter of [`instances`](Store::instances).
//! 3. Report errors of the back end with [`StoreError::backend`] or [`StoreError::unavailable`].
//! 4. Test it: `durable::testing::conformance_tests!` (feature `testing`) generates one test for each
//!    point of the contract, and `durable::testing::test_store!` registers the store, so that every
//!    `TestHub` of a program can run on it.

// Read next: `commit.rs` (the content of a commit), `memory.rs` (the simplest correct store).

mod backup;
mod cluster;
mod commit;
mod durability;
mod encoded;
mod error;
mod exchange;
mod members;
mod memory;
mod query;
mod shared;
#[cfg(feature = "sled")]
mod sled;
mod usage;

use std::fmt;
use std::ops::Range;
use std::path::Path;

pub use self::backup::BackupReport;
pub use self::cluster::{Assignment, Cluster, ClusterRequest, Received};
pub use self::commit::{Commit, EpisodeWrite, Epoch, PartitionState};
pub use self::durability::Durability;
pub use self::encoded::{EncodedPayload, EncodedStore, PayloadCodec};
pub use self::error::StoreError;
pub(crate) use self::error::{chain, in_process};
pub use self::exchange::{ReceivedMessage, RequestId};
pub use self::members::{FrozenPartition, Member, Members, Node, ParkedPartition, PinnedPartition};
pub use self::memory::MemoryStore;
pub use self::query::{Creation, CreationOrder, InstanceFilter, InstancePage};
#[cfg(all(fuzzing, feature = "sled"))]
#[doc(hidden)]
pub use self::sled::fuzz;
#[cfg(all(feature = "sled", feature = "testing"))]
pub(crate) use self::sled::simulated;
#[cfg(feature = "sled")]
pub use self::sled::{SledOptions, SledStore};
pub use self::usage::Usage;
use crate::protocol::{
    ExecutionId, HistoryEvent, HubRecord, InstanceId, InstanceRecord, PartitionId, TaskMessage,
    Timestamp,
};
pub use crate::transaction::{
    ActivityEffect, StoreTransactions, Transaction, TransactionBody, Transactions,
};

/// The storage of a task hub.
///
/// # Contract
/// Each point has a test of the same name in `durable::testing::conformance` (feature `testing`),
/// which a new store runs unchanged.
///
/// 1. `a_hub_is_created_once`: [`create`](Self::create) writes the hub's record if there is none,
///    and returns the record that is stored.
/// 2. `a_commit_is_all_or_nothing`: all parts of a [`Commit`] become visible together; if it is
///    refused, none do.
/// 3. `an_acknowledged_commit_survives`: once [`commit`](Self::commit) has returned, a crash of the
///    process or of the machine at any later moment loses none of it.
/// 4. `a_fenced_owner_commits_nothing`: [`claim`](Self::claim) raises a partition's epoch, and a
///    commit that names an older one fails with [`StoreError::Fenced`].
/// 5. `a_partition_is_touched_by_its_owner_only`: a commit that writes an episode, purges an
///    instance or consumes a message in a partition that it does not name fails with
///    [`StoreError::Fenced`]; it may send messages to any partition.
/// 6. `history_is_kept_in_order`: the events of an execution come back in the order and with the
///    content in which they were appended, starting from any commit.
/// 7. `history_is_appended_at_its_end`: an episode whose first event does not follow the last
///    stored one fails with [`StoreError::OutOfOrder`].
/// 8. `large_values_come_back_whole`: a single value may have many megabytes.
/// 9. `messages_keep_their_order`: [`messages`](Self::messages) returns a partition's messages in
///    the order in which they were committed.
/// 10. `a_message_stays_until_it_is_consumed`: only a commit that consumes a message removes it.
/// 11. `active_instances_are_found`: [`load`](Self::load) returns exactly those instances of the
///     partition whose record is marked active.
/// 12. `the_store_makes_nothing_up`: ids, times and counts come from the caller and come back
///     unchanged.
/// 13. `partitions_do_not_see_each_other`: [`load`](Self::load) and [`due`](Self::due) return only
///     instances of the given partition.
/// 14. `due_instances_are_found`: [`due`](Self::due) returns instances in the order of their due
///     times, each with the time in its last record, and none whose record has no due time.
/// 15. `a_replaced_history_is_gone`: an episode that replaces an execution removes all of that
///     execution's history, whether earlier commits wrote it or this one.
/// 16. `a_purged_instance_is_gone`: its record and the histories of all its executions are removed,
///     and it is neither due nor active. Its id may be used again, and messages to it are kept. A
///     commit that also writes an episode of it fails with [`StoreError::WrittenAndPurged`].
/// 17. `instances_are_found_by_page`: [`instances`](Self::instances) returns every instance that
///     matches the filter exactly once, in the order of their ids, whatever the page size.
/// 18. `messages_are_found_by_page`: a message has one position in its partition, greater than
///     those of all earlier messages, which stays the same across a crash.
///     [`messages`](Self::messages) returns the messages in a range of positions, or only those to
///     one instance, and [`load`](Self::load) returns one past the last position.
/// 19. `history_is_found_by_page`: [`history_page`](Self::history_page) returns exactly those events
///     of an execution whose index is in the range, in order.
/// 20. `a_page_scans_no_more_than_it_may`: [`instances`](Self::instances) reads at most
///     [`max_scanned`](InstanceFilter::max_scanned) records for a page, says how many it has read, and
///     the next page continues after them.
/// 21. `instances_are_found_by_creation`: [`instances_by_creation`](Self::instances_by_creation)
///     returns every orchestration that matches the filter exactly once, in the order of creation
///     times, then of ids, or in the reverse order, whatever the page size.
///
/// # Threads
/// Methods are called from several threads at once and may block: the hub never calls them on a
/// thread of an async runtime. A store in another process simply waits for each answer.
///
/// # Example
/// A program can read a store itself, for example one that no hub has open:
///
/// ```
/// use durable::protocol::RuntimeStatus;
/// use durable::store::{InstanceFilter, MemoryStore, Store, StoreError};
///
/// /// The ids of the first failed instances.
/// fn failed(store: &impl Store) -> Result<Vec<String>, StoreError> {
///     let mut filter = InstanceFilter::default();
///     filter.statuses = vec![RuntimeStatus::Failed];
///     let page = store.instances(&filter, None, 100)?;
///     Ok(page.instances.iter().map(|record| record.instance_id.to_string()).collect())
/// }
///
/// assert!(failed(&MemoryStore::default())?.is_empty());
/// # Ok::<(), StoreError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a store",
    label = "expected a `SledStore`, a `MemoryStore`, or a type that implements `durable::store::Store`"
)]
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Creates the hub if it does not exist, and returns the stored record.
    ///
    /// # Errors
    /// The store failed, or holds a format that this release does not know.
    fn create(&self, hub: &HubRecord) -> Result<HubRecord, StoreError>;

    /// Takes a partition over from its former owner. The new owner names the returned epoch in
    /// every commit.
    ///
    /// # Errors
    /// The store failed.
    fn claim(&self, partition: PartitionId) -> Result<Epoch, StoreError>;

    /// Returns the state of a partition that its new owner needs.
    ///
    /// # Errors
    /// The store failed.
    fn load(&self, partition: PartitionId) -> Result<PartitionState, StoreError>;

    /// Returns a partition's unconsumed messages with positions in `positions`, in order, each with
    /// its position. With `to`, returns only the messages to that instance. At most `limit`
    /// messages are returned; fewer mean that there are no more.
    ///
    /// A message gets its position when it is committed. The position is greater than that of every
    /// earlier message of the partition, and is not reused while the store is open.
    ///
    /// A long page may be read in parts, so a message that is consumed in the meantime may be in it
    /// or not.
    ///
    /// # Errors
    /// The store failed.
    fn messages(
        &self,
        partition: PartitionId,
        to: Option<&InstanceId>,
        positions: Range<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, TaskMessage)>, StoreError>;

    /// Writes a group of episodes and messages, atomically and durably.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::OutOfOrder`] and [`StoreError::WrittenAndPurged`] for
    /// a commit that the contract forbids. Any other error fails the hub, which must then be opened
    /// again, because it is uncertain whether the group was written.
    fn commit(&self, commit: &Commit) -> Result<(), StoreError>;

    /// Returns the record of an instance, if it exists.
    ///
    /// # Errors
    /// The store failed.
    fn instance(&self, instance: &InstanceId) -> Result<Option<InstanceRecord>, StoreError>;

    /// Returns the instances of a partition that are due at `until` or earlier, in the order of
    /// their due times, then of their ids: at most `limit`, and only those after `after`.
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

    /// Returns instances that match `filter`, from all partitions, in the order of their ids: those
    /// after `after`, at most `limit` (0 counts as 1). A page may be short or empty even if more
    /// follow. An instance that changes in the meantime is found in its old or its new state.
    ///
    /// # Errors
    /// The store failed.
    fn instances(
        &self,
        filter: &InstanceFilter,
        after: Option<&InstanceId>,
        limit: usize,
    ) -> Result<InstancePage, StoreError>;

    /// Returns orchestrations that match `filter`, from all partitions, in the order of their
    /// creation: those that come after the position `after` in `order`, at most `limit` (0 counts
    /// as 1). A page may be short or empty even if more follow. Entities and scheduled signals are
    /// not in this order, so a filter that selects them finds nothing.
    ///
    /// The default reads every instance for each page, without regard to
    /// [`max_scanned`](InstanceFilter::max_scanned). A store that can keep an index should, because
    /// clients look at the newest instances first.
    ///
    /// # Errors
    /// The store failed.
    fn instances_by_creation(
        &self,
        filter: &InstanceFilter,
        order: CreationOrder,
        after: Option<&Creation>,
        limit: usize,
    ) -> Result<InstancePage<Creation>, StoreError> {
        query::by_creation_without_index(self, filter, order, after, limit)
    }

    /// Returns the events of an execution, starting with index `from`, which must be the first of
    /// an episode.
    ///
    /// # Errors
    /// The store failed.
    fn history(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        from: u64,
    ) -> Result<Vec<HistoryEvent>, StoreError>;

    /// Returns an execution's events with indices in `indices`, in order. A range that extends
    /// beyond the end of the history is cut there.
    ///
    /// The default reads the whole history. A store that can do better should, because clients read
    /// long histories page by page, and [follow](crate::client::InstanceHandle::follow_history) them.
    ///
    /// # Errors
    /// The store failed.
    fn history_page(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        indices: Range<u64>,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        let index = |index| usize::try_from(index).unwrap_or(usize::MAX);
        let mut events = self.history(instance, execution, 0)?;
        events.truncate(index(indices.end));
        events.drain(..index(indices.start).min(events.len()));
        Ok(events)
    }

    /// Checks whether there is room for new work; the hub calls this before it accepts any. Running
    /// work continues in any case, so the store must refuse new work while it still has room for
    /// running work. The default never refuses.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`]; [`StoreError::Exhausted`] or [`StoreError::Unavailable`] while
    /// commits wait for another resource; [`StoreError::ReadOnly`] if the store is open for reading
    /// only; or the error that kept the store from answering.
    fn check_room(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Returns the memory and disk usage, if the store knows them. With the feature `metrics`, the
    /// hub calls this after each commit.
    fn usage(&self) -> Usage {
        Usage::default()
    }

    /// Writes a consistent copy of the whole store into the new folder `to` while commits continue,
    /// and verifies it. The copy contains every commit that was acknowledged before the call, and
    /// possibly later ones. If the backup fails, or the process ends, no folder `to` is left.
    ///
    /// A backup may take minutes, but must end soon after [`give_up`](Self::give_up). The default
    /// is for stores that are backed up with the tools of their database.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] by default; [`StoreError::BackupTarget`] if `to` is not an empty
    /// or missing folder; [`StoreError::BackupStopped`] if the hub stops in the meantime;
    /// [`StoreError::DiskFull`] if there is too little space for the copy; or another error if the
    /// store failed.
    fn backup(&self, to: &Path) -> Result<BackupReport, StoreError> {
        let _ = to;
        Err(StoreError::Unsupported { what: "backups".into() })
    }

    /// Returns the interface through which several processes share the hub, if this store has one.
    /// By default one process owns the whole hub.
    fn cluster(&self) -> Option<&dyn Cluster> {
        None
    }

    /// Returns the number of partitions of a new hub on this store, unless the hub's builder sets
    /// it. The number is fixed when the hub is created.
    ///
    /// The default is 4, for stores with one process. A hub cannot use more processes than it has
    /// partitions, so a store that several processes share should return a larger number.
    fn default_partitions(&self) -> u16 {
        4
    }

    /// Returns the transactions in which transactional activities run, if this store has any: the
    /// SQL of an activity and the record of its result are one transaction. The hub calls this
    /// once, before it is opened.
    fn transactions(&self) -> Option<StoreTransactions> {
        None
    }

    /// Tells the store that the hub is stopping: until the next [`create`](Self::create), which
    /// comes from the next hub on this store, a commit that waits for a resource must fail at once,
    /// and so must a backup.
    fn give_up(&self) {}
}
