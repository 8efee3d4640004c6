//! A node as a store, whose content is in the store that all nodes share.

use std::ops::Range;

use super::cluster::MemoryNode;
use crate::protocol::{
    ExecutionId, HistoryEvent, HubRecord, InstanceId, InstanceRecord, PartitionId, TaskMessage,
    Timestamp,
};
use crate::store::{
    Cluster, Commit, Creation, CreationOrder, Epoch, InstanceFilter, InstancePage, PartitionState,
    Store, StoreError,
};

impl Store for MemoryNode {
    fn create(&self, hub: &HubRecord) -> Result<HubRecord, StoreError> {
        let created = self.shared.store.create(hub)?;
        self.shared.state().partitions = created.partitions;
        Ok(created)
    }

    fn claim(&self, partition: PartitionId) -> Result<Epoch, StoreError> {
        self.shared.store.claim(partition)
    }

    fn load(&self, partition: PartitionId) -> Result<PartitionState, StoreError> {
        self.shared.store.load(partition)
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let mut state = self.shared.state();
        let lost = state.lost(&commit.owners);
        if !lost.is_empty() {
            return Err(StoreError::fenced(lost));
        }
        let is_owner = |target: &PartitionId| commit.owners.iter().any(|(it, _)| it == target);
        let targets = commit.messages.iter().map(|(target, _)| *target);
        let foreign: Vec<_> = targets.filter(|target| !is_owner(target)).collect();
        if !foreign.is_empty() {
            return Err(StoreError::fenced(foreign));
        }
        let mut commit = commit.clone();
        let received = commit.received.iter().map(|it| (it.target, it.message.clone()));
        commit.messages = received.chain(std::mem::take(&mut commit.messages)).collect();
        self.shared.store.commit(&commit)?;
        state.exchange(&commit);
        self.shared.changed.notify_all();
        Ok(())
    }

    fn messages(
        &self,
        partition: PartitionId,
        to: Option<&InstanceId>,
        positions: Range<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, TaskMessage)>, StoreError> {
        self.shared.store.messages(partition, to, positions, limit)
    }

    fn instance(&self, instance: &InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
        self.shared.store.instance(instance)
    }

    fn due(
        &self,
        partition: PartitionId,
        after: Option<&(Timestamp, InstanceId)>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
        self.shared.store.due(partition, after, until, limit)
    }

    fn instances(
        &self,
        filter: &InstanceFilter,
        after: Option<&InstanceId>,
        limit: usize,
    ) -> Result<InstancePage, StoreError> {
        self.shared.store.instances(filter, after, limit)
    }

    fn instances_by_creation(
        &self,
        filter: &InstanceFilter,
        order: CreationOrder,
        after: Option<&Creation>,
        limit: usize,
    ) -> Result<InstancePage<Creation>, StoreError> {
        self.shared.store.instances_by_creation(filter, order, after, limit)
    }

    fn history(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        from: u64,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        self.shared.store.history(instance, execution, from)
    }

    fn history_page(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        indices: Range<u64>,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        self.shared.store.history_page(instance, execution, indices)
    }

    fn cluster(&self) -> Option<&dyn Cluster> {
        Some(self)
    }
}
