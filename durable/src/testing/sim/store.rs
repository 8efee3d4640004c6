//! The store of a simulation: other actors run before and after each call, and commits are
//! observed.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::world;
use crate::protocol::{
    ExecutionId, HistoryEvent, HubRecord, InstanceId, InstanceRecord, PartitionId, TaskMessage,
    Timestamp,
};
use crate::store::{
    Assignment, BackupReport, Cluster, ClusterRequest, Commit, Creation, CreationOrder, Epoch,
    InstanceFilter, InstancePage, Members, Node, PartitionState, Received, RequestId, Store,
    StoreError,
};
use crate::testing::MemoryNode;

/// The store of one process. After its crash, no call has an effect.
pub(super) struct WatchedStore {
    store: Arc<dyn Store>,
    /// The same store, if several processes share it.
    node: Option<MemoryNode>,
    is_alive: Arc<AtomicBool>,
    is_opening: Arc<AtomicBool>,
}

/// Whether the process lives, and whether it is opening.
type Flags = (Arc<AtomicBool>, Arc<AtomicBool>);

impl WatchedStore {
    pub(super) fn new(store: Arc<dyn Store>, (is_alive, is_opening): Flags) -> Self {
        Self { store, node: None, is_alive, is_opening }
    }

    /// The store of a process that shares it with others.
    pub(super) fn of_node(node: MemoryNode, flags: Flags) -> Self {
        Self { node: Some(node.clone()), ..Self::new(Arc::new(node), flags) }
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
            let lost = self.node.as_ref().map(|node| node.lost(&commit.owners));
            if lost.is_some_and(|lost| !lost.is_empty()) {
                return world::refused_commit(store.commit(commit));
            }
            world::before_commit(commit, store);
            let committed = store.commit(commit);
            world::after_commit(commit, store, committed.as_ref().err());
            committed
        })
    }

    fn cluster(&self) -> Option<&dyn Cluster> {
        self.node.as_ref().map(|_| self as &dyn Cluster)
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
        // A hub that opens counts its instances for a log line and for metrics. Cargo features and
        // subscribers decide whether it does, and what a seed does must not depend on them.
        if self.is_opening.load(Ordering::Relaxed) {
            return self.store.instances(filter, after, limit);
        }
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

/// The cluster that processes share. Only used if there is a node.
impl WatchedStore {
    fn in_cluster<T>(
        &self,
        call: impl FnOnce(&MemoryNode) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.call(|_| match &self.node {
            Some(node) => call(node),
            None => Err(StoreError::Unsupported { what: "several processes".into() }),
        })
    }
}

impl Cluster for WatchedStore {
    fn join(&self, node: &Node) -> Result<(), StoreError> {
        self.in_cluster(|store| store.join(node))
    }

    fn assign(&self, owned: &[(PartitionId, Epoch)]) -> Result<Assignment, StoreError> {
        self.in_cluster(|store| store.assign(owned))
    }

    fn release(&self, partition: PartitionId, epoch: Epoch) -> Result<(), StoreError> {
        self.in_cluster(|store| store.release(partition, epoch))
    }

    fn park(&self, partition: PartitionId, epoch: Epoch, reason: &str) -> Result<(), StoreError> {
        self.in_cluster(|store| store.park(partition, epoch, reason))
    }

    fn unpark(&self, partition: PartitionId) -> Result<bool, StoreError> {
        self.in_cluster(|store| store.unpark(partition))
    }

    /// Never waits: the world runs the inbox once something has arrived.
    fn receive(
        &self,
        owned: &[(PartitionId, Epoch)],
        _wait: Duration,
    ) -> Result<Received, StoreError> {
        self.in_cluster(|store| Ok(store.receive_some(owned, world::received_at_most())))
    }

    fn interrupt(&self) {}

    fn ask(&self, request: &ClusterRequest) -> Result<(), StoreError> {
        self.in_cluster(|store| store.ask(request))
    }

    fn withdraw(&self, requests: &[RequestId]) -> Result<(), StoreError> {
        self.in_cluster(|store| store.withdraw(requests))
    }

    fn members(&self) -> Result<Members, StoreError> {
        self.in_cluster(Cluster::members)
    }

    fn leave(&self) -> Result<(), StoreError> {
        self.in_cluster(Cluster::leave)
    }
}

impl fmt::Debug for WatchedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WatchedStore")
    }
}
