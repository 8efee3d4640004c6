//! A store that fails when a test wants it to.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use durable::protocol::{
    ExecutionId, HistoryEvent, HubRecord, InstanceId, InstanceRecord, PartitionId, TaskMessage,
    Timestamp,
};
use durable::store::{
    Commit, Epoch, InstanceFilter, InstancePage, MemoryStore, PartitionState, Store, StoreError,
};

/// A store whose disk breaks, after so many commits.
#[derive(Debug)]
pub(crate) struct Breaking {
    inner: MemoryStore,
    left: AtomicU64,
    /// Whether it panics when it is broken.
    panics: bool,
}

impl Breaking {
    pub(crate) fn new(panics: bool) -> Self {
        Self { inner: MemoryStore::default(), left: AtomicU64::new(u64::MAX), panics }
    }

    pub(crate) fn break_after(&self, commits: u64) {
        self.left.store(commits, Ordering::SeqCst);
    }

    pub(crate) fn mend(&self) {
        self.break_after(u64::MAX);
    }
}

impl Store for Breaking {
    fn create(&self, hub: &HubRecord) -> Result<HubRecord, StoreError> {
        self.inner.create(hub)
    }

    fn claim(&self, partition: PartitionId) -> Result<Epoch, StoreError> {
        self.inner.claim(partition)
    }

    fn load(&self, partition: PartitionId) -> Result<PartitionState, StoreError> {
        self.inner.load(partition)
    }

    fn messages(
        &self,
        partition: PartitionId,
        to: Option<&InstanceId>,
        places: Range<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, TaskMessage)>, StoreError> {
        self.inner.messages(partition, to, places, limit)
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let one_less = |left: u64| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_err() {
            assert!(!self.panics, "the disk is on fire");
            return Err(StoreError::Poisoned { cause: "the disk is gone".to_owned() });
        }
        self.inner.commit(commit)
    }

    fn instance(&self, instance: &InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
        self.inner.instance(instance)
    }

    fn history(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        from: u64,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        self.inner.history(instance, execution, from)
    }

    fn due(
        &self,
        partition: PartitionId,
        after: Option<&(Timestamp, InstanceId)>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
        self.inner.due(partition, after, until, limit)
    }

    fn instances(
        &self,
        filter: &InstanceFilter,
        after: Option<&InstanceId>,
        limit: usize,
    ) -> Result<InstancePage, StoreError> {
        self.inner.instances(filter, after, limit)
    }
}
