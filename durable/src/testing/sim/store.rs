//! The store of a simulation: others run before and after each call, and commits are observed.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::world;
use crate::protocol::{
    ExecutionId, HistoryEvent, HubRecord, InstanceId, InstanceRecord, PartitionId, TaskMessage,
    Timestamp,
};
use crate::store::{
    BackupReport, Commit, Creation, CreationOrder, Epoch, InstanceFilter, InstancePage,
    PartitionState, Store, StoreError,
};

/// The store of one process. After its crash, no call has an effect.
pub(super) struct WatchedStore {
    store: Arc<dyn Store>,
    is_alive: Arc<AtomicBool>,
}

impl WatchedStore {
    pub(super) fn new(store: Arc<dyn Store>, is_alive: Arc<AtomicBool>) -> Self {
        Self { store, is_alive }
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.is_alive.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err(StoreError::damaged("the process has ended"))
        }
    }

    fn call<T>(
        &self,
        call: impl FnOnce(&dyn Store) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        world::count_call();
        world::preempt();
        self.check()?;
        let breakage = world::take_breakage();
        if let Some(early) = breakage.filter(|breakage| !breakage.is_late) {
            return early.happen();
        }
        let result = call(&*self.store);
        world::preempt();
        match breakage {
            Some(late) => late.happen(),
            None => result,
        }
    }
}

impl Store for WatchedStore {
    fn create(&self, hub: &HubRecord) -> Result<HubRecord, StoreError> {
        self.check()?;
        self.store.create(hub)
    }

    fn claim(&self, partition: PartitionId) -> Result<Epoch, StoreError> {
        self.check()?;
        self.store.claim(partition)
    }

    fn load(&self, partition: PartitionId) -> Result<PartitionState, StoreError> {
        self.check()?;
        self.store.load(partition)
    }

    fn messages(
        &self,
        partition: PartitionId,
        to: Option<&InstanceId>,
        positions: Range<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, TaskMessage)>, StoreError> {
        self.call(|store| store.messages(partition, to, positions, limit))
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        self.call(|store| {
            world::before_commit(commit, store);
            let committed = store.commit(commit);
            world::after_commit(commit, store, committed.as_ref().err());
            committed
        })
    }

    fn instance(&self, instance: &InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
        self.call(|store| store.instance(instance))
    }

    fn due(
        &self,
        partition: PartitionId,
        after: Option<&(Timestamp, InstanceId)>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
        self.call(|store| store.due(partition, after, until, limit))
    }

    fn instances(
        &self,
        filter: &InstanceFilter,
        after: Option<&InstanceId>,
        limit: usize,
    ) -> Result<InstancePage, StoreError> {
        self.call(|store| store.instances(filter, after, limit))
    }

    fn instances_by_creation(
        &self,
        filter: &InstanceFilter,
        order: CreationOrder,
        after: Option<&Creation>,
        limit: usize,
    ) -> Result<InstancePage<Creation>, StoreError> {
        self.call(|store| store.instances_by_creation(filter, order, after, limit))
    }

    fn history(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        from: u64,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        self.call(|store| store.history(instance, execution, from))
    }

    fn history_page(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        indices: Range<u64>,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        self.call(|store| store.history_page(instance, execution, indices))
    }

    fn backup(&self, to: &Path) -> Result<BackupReport, StoreError> {
        self.check()?;
        self.store.backup(to)
    }
}

impl fmt::Debug for WatchedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WatchedStore")
    }
}
