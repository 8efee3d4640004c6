//! A store that breaks its contract, to test whether a rule detects it.
//!
//! Each fault is one that a store or its caller could have. These faults are at the boundary of the
//! hub, so one build contains all of them; `planted/` has faults inside the hub.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::ValueEnum;
use durable::InstanceId;
use durable::protocol::{
    ExecutionId, HistoryEvent, HubRecord, InstanceRecord, PartitionId, TaskMessage, Timestamp,
};
use durable::store::{
    BackupReport, Commit, Creation, CreationOrder, Epoch, InstanceFilter, InstancePage,
    PartitionState, Store, StoreError,
};
use serde::{Deserialize, Serialize};

/// One call in this many breaks the contract.
const ONE_IN: u64 = 7;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Fault {
    /// A commit is acknowledged and has no effect.
    LostCommit,
    /// The due time of an instance is not stored.
    LostDueTime,
    /// A message that was sent is not stored.
    LostMessage,
    /// A message that has taken effect stays in the store.
    KeptMessage,
    /// The last two events of an episode are swapped.
    SwappedEvents,
    /// A read of messages returns the last one twice.
    PageTwice,
    /// A read of messages omits the first one.
    SkippedMessage,
    /// A read of due times omits the first one.
    SkippedDueTime,
    /// A read of a history omits its last event.
    ShortHistory,
}

/// A store with a fault.
#[derive(Debug)]
pub(crate) struct Faulty {
    store: Arc<dyn Store>,
    fault: Fault,
    calls: AtomicU64,
}

impl Faulty {
    pub(crate) fn new(store: Arc<dyn Store>, fault: Fault) -> Self {
        Self { store, fault, calls: AtomicU64::new(0) }
    }

    /// Whether this call has the fault.
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
            && (self.calls.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(ONE_IN)
    }

    fn broken(&self, commit: &Commit) -> Commit {
        let mut broken = commit.clone();
        let Some(episode) = broken.episodes.last_mut() else { return broken };
        let events = episode.events.len();
        match self.fault {
            Fault::LostDueTime => episode.record.next_due = None,
            Fault::LostMessage => drop(broken.messages.pop()),
            Fault::KeptMessage => broken.consumed.clear(),
            Fault::SwappedEvents if events >= 2 => episode.events.swap(events - 1, events - 2),
            _ => {}
        }
        broken
    }
}

impl Store for Faulty {
    fn create(&self, hub: &HubRecord) -> Result<HubRecord, StoreError> {
        self.store.create(hub)
    }

    fn claim(&self, partition: PartitionId) -> Result<Epoch, StoreError> {
        self.store.claim(partition)
    }

    fn load(&self, partition: PartitionId) -> Result<PartitionState, StoreError> {
        self.store.load(partition)
    }

    fn messages(
        &self,
        partition: PartitionId,
        to: Option<&InstanceId>,
        positions: Range<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, TaskMessage)>, StoreError> {
        let mut page = self.store.messages(partition, to, positions, limit)?;
        if self.has(Fault::PageTwice) {
            page.extend(page.last().cloned());
        }
        if self.has(Fault::SkippedMessage) && !page.is_empty() {
            page.remove(0);
        }
        Ok(page)
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        if self.has(Fault::LostCommit) {
            return Ok(());
        }
        self.store.commit(&self.broken(commit))
    }

    fn instance(&self, instance: &InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
        self.store.instance(instance)
    }

    fn due(
        &self,
        partition: PartitionId,
        after: Option<&(Timestamp, InstanceId)>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
        let mut due = self.store.due(partition, after, until, limit)?;
        // The rules read everything at once, and must get everything.
        if limit < usize::MAX && self.has(Fault::SkippedDueTime) && !due.is_empty() {
            due.remove(0);
        }
        Ok(due)
    }

    fn instances(
        &self,
        filter: &InstanceFilter,
        after: Option<&InstanceId>,
        limit: usize,
    ) -> Result<InstancePage, StoreError> {
        self.store.instances(filter, after, limit)
    }

    fn instances_by_creation(
        &self,
        filter: &InstanceFilter,
        order: CreationOrder,
        after: Option<&Creation>,
        limit: usize,
    ) -> Result<InstancePage<Creation>, StoreError> {
        self.store.instances_by_creation(filter, order, after, limit)
    }

    fn history(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        from: u64,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        let mut history = self.store.history(instance, execution, from)?;
        if self.has(Fault::ShortHistory) {
            history.pop();
        }
        Ok(history)
    }

    fn history_page(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        indices: Range<u64>,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        self.store.history_page(instance, execution, indices)
    }

    fn backup(&self, to: &Path) -> Result<BackupReport, StoreError> {
        self.store.backup(to)
    }
}
