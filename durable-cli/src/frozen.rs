//! A folder that no process has open, as a store that never changes.
//!
//! Rules:
//! 1. Reads return the content of the folder. Writes fail, so no command can change the folder.
//! 2. A hub on this store finds no work: no active instances, no messages, and nothing that is due.

use std::ops::Range;
use std::path::Path;

use durable::InstanceId;
use durable::protocol::{
    ExecutionId, HistoryEvent, HubRecord, InstanceRecord, PartitionId, TaskMessage, Timestamp,
};
use durable::store::{
    BackupReport, Commit, Creation, CreationOrder, Epoch, InstanceFilter, InstancePage,
    PartitionState, SledStore, Store, StoreError, Usage,
};

#[derive(Debug)]
pub(crate) struct Frozen(SledStore);

impl Frozen {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        SledStore::read_only(path).map(Self)
    }

    pub(crate) fn damage(&self) -> &[StoreError] {
        self.0.damage()
    }
}

impl Store for Frozen {
    fn create(&self, hub: &HubRecord) -> Result<HubRecord, StoreError> {
        self.0.create(hub)
    }

    fn claim(&self, _: PartitionId) -> Result<Epoch, StoreError> {
        Ok(Epoch(u64::MAX))
    }

    fn load(&self, _: PartitionId) -> Result<PartitionState, StoreError> {
        Ok(PartitionState::default())
    }

    fn messages(
        &self,
        _: PartitionId,
        _: Option<&InstanceId>,
        _: Range<u64>,
        _: usize,
    ) -> Result<Vec<(u64, TaskMessage)>, StoreError> {
        Ok(Vec::new())
    }

    fn commit(&self, _: &Commit) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly)
    }

    fn instance(&self, instance: &InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
        self.0.instance(instance)
    }

    fn due(
        &self,
        _: PartitionId,
        _: Option<&(Timestamp, InstanceId)>,
        _: Timestamp,
        _: usize,
    ) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
        Ok(Vec::new())
    }

    fn instances(
        &self,
        filter: &InstanceFilter,
        after: Option<&InstanceId>,
        limit: usize,
    ) -> Result<InstancePage, StoreError> {
        self.0.instances(filter, after, limit)
    }

    fn instances_by_creation(
        &self,
        filter: &InstanceFilter,
        order: CreationOrder,
        after: Option<&Creation>,
        limit: usize,
    ) -> Result<InstancePage<Creation>, StoreError> {
        self.0.instances_by_creation(filter, order, after, limit)
    }

    fn history(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        from: u64,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        self.0.history(instance, execution, from)
    }

    fn history_page(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        indices: Range<u64>,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        self.0.history_page(instance, execution, indices)
    }

    fn check_room(&self) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly)
    }

    fn usage(&self) -> Usage {
        self.0.usage()
    }

    fn backup(&self, to: &Path) -> Result<BackupReport, StoreError> {
        self.0.backup(to)
    }
}
