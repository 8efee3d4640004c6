//! A wrapper around the store that turns its panics into errors.
//!
//! A store is user code. The hub calls it only through this type, so that a panic never unwinds a
//! thread of the hub, and every waiter receives its text.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "sled")]
use super::hub_folders::HubFolder;
use crate::panics::{self, Guarded};
use crate::protocol::{
    ExecutionId, HistoryEvent, HubRecord, InstanceId, InstanceRecord, PartitionId, TaskMessage,
    Timestamp,
};
use crate::store::{
    Assignment, BackupReport, Cluster, ClusterRequest, Commit, Creation, CreationOrder, Epoch,
    InstanceFilter, InstancePage, Members, Node, PartitionState, Received, RequestId, Store,
    StoreError, StoreTransactions, Usage,
};

/// A store that does not panic.
pub(crate) struct GuardedStore {
    store: Guarded<Arc<dyn Store>>,
    /// The folder of the store, if the hub has opened it. Dropped after the store.
    #[cfg(feature = "sled")]
    folder: Option<HubFolder>,
}

impl GuardedStore {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store: Guarded::new(store),
            #[cfg(feature = "sled")]
            folder: None,
        }
    }

    #[cfg(feature = "sled")]
    pub(super) fn in_folder(store: Arc<dyn Store>, folder: HubFolder) -> Self {
        Self { folder: Some(folder), ..Self::new(store) }
    }

    fn call<T>(
        &self,
        doing: &'static str,
        call: impl FnOnce(&dyn Store) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let panicked = |panic: crate::protocol::FailureDetails| StoreError::Panicked {
            doing: doing.to_owned(),
            panic: panic.message,
        };
        panics::catch(|| call(&**self.store.get())).map_err(panicked).flatten()
    }
}

impl Store for GuardedStore {
    fn create(&self, hub: &HubRecord) -> Result<HubRecord, StoreError> {
        self.call("creating the hub", |store| store.create(hub))
    }

    fn claim(&self, partition: PartitionId) -> Result<Epoch, StoreError> {
        self.call("claiming a partition", |store| store.claim(partition))
    }

    fn load(&self, partition: PartitionId) -> Result<PartitionState, StoreError> {
        self.call("loading a partition", |store| store.load(partition))
    }

    fn messages(
        &self,
        partition: PartitionId,
        to: Option<&InstanceId>,
        positions: Range<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, TaskMessage)>, StoreError> {
        self.call("reading messages", |store| store.messages(partition, to, positions, limit))
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        self.call("committing", |store| store.commit(commit))
    }

    fn instance(&self, instance: &InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
        self.call("reading an instance", |store| store.instance(instance))
    }

    fn due(
        &self,
        partition: PartitionId,
        after: Option<&(Timestamp, InstanceId)>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
        self.call("reading what is due", |store| store.due(partition, after, until, limit))
    }

    fn instances(
        &self,
        filter: &InstanceFilter,
        after: Option<&InstanceId>,
        limit: usize,
    ) -> Result<InstancePage, StoreError> {
        self.call("reading instances", |store| store.instances(filter, after, limit))
    }

    fn instances_by_creation(
        &self,
        filter: &InstanceFilter,
        order: CreationOrder,
        after: Option<&Creation>,
        limit: usize,
    ) -> Result<InstancePage<Creation>, StoreError> {
        let read = |store: &dyn Store| store.instances_by_creation(filter, order, after, limit);
        self.call("reading instances", read)
    }

    fn history(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        from: u64,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        self.call("reading a history", |store| store.history(instance, execution, from))
    }

    fn history_page(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        indices: Range<u64>,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        self.call("reading a history", |store| store.history_page(instance, execution, indices))
    }

    fn check_room(&self) -> Result<(), StoreError> {
        self.call("checking for room", Store::check_room)
    }

    fn usage(&self) -> Usage {
        panics::catch(|| self.store.get().usage()).unwrap_or_default()
    }

    fn backup(&self, to: &Path) -> Result<BackupReport, StoreError> {
        self.call("making a backup", |store| store.backup(to))
    }

    fn cluster(&self) -> Option<&dyn Cluster> {
        let has_one = panics::catch(|| self.store.get().cluster().is_some()).unwrap_or_default();
        has_one.then_some(self as &dyn Cluster)
    }

    fn default_partitions(&self) -> u16 {
        panics::catch(|| self.store.get().default_partitions()).unwrap_or(1)
    }

    fn transactions(&self) -> Option<StoreTransactions> {
        panics::catch(|| self.store.get().transactions()).unwrap_or_default()
    }

    fn give_up(&self) {
        #[cfg(feature = "sled")]
        if let Some(folder) = &self.folder {
            folder.close();
        }
        panics::shield(|| self.store.get().give_up());
    }
}

/// Only used if the store has a cluster.
impl GuardedStore {
    fn in_cluster<T>(
        &self,
        doing: &'static str,
        call: impl FnOnce(&dyn Cluster) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.call(doing, |store| match store.cluster() {
            Some(cluster) => call(cluster),
            None => Err(StoreError::Unsupported { what: "several processes".into() }),
        })
    }
}

impl Cluster for GuardedStore {
    fn join(&self, node: &Node) -> Result<(), StoreError> {
        self.in_cluster("joining the hub", |cluster| cluster.join(node))
    }

    fn assign(&self, owned: &[(PartitionId, Epoch)]) -> Result<Assignment, StoreError> {
        self.in_cluster("assigning partitions", |cluster| cluster.assign(owned))
    }

    fn release(&self, partition: PartitionId, epoch: Epoch) -> Result<(), StoreError> {
        self.in_cluster("releasing a partition", |cluster| cluster.release(partition, epoch))
    }

    fn park(&self, partition: PartitionId, epoch: Epoch, reason: &str) -> Result<(), StoreError> {
        self.in_cluster("parking a partition", |cluster| cluster.park(partition, epoch, reason))
    }

    fn unpark(&self, partition: PartitionId) -> Result<bool, StoreError> {
        self.in_cluster("unparking a partition", |cluster| cluster.unpark(partition))
    }

    fn pin(&self, partition: PartitionId, node: Option<&str>) -> Result<(), StoreError> {
        self.in_cluster("pinning a partition", |cluster| cluster.pin(partition, node))
    }

    fn freeze(&self, partition: PartitionId, reason: Option<&str>) -> Result<(), StoreError> {
        self.in_cluster("freezing a partition", |cluster| cluster.freeze(partition, reason))
    }

    fn receive(
        &self,
        owned: &[(PartitionId, Epoch)],
        wait: Duration,
    ) -> Result<Received, StoreError> {
        self.in_cluster("receiving", |cluster| cluster.receive(owned, wait))
    }

    fn interrupt(&self) {
        panics::shield(|| {
            if let Some(cluster) = self.store.get().cluster() {
                cluster.interrupt();
            }
        });
    }

    fn ask(&self, request: &ClusterRequest) -> Result<(), StoreError> {
        self.in_cluster("sending a request", |cluster| cluster.ask(request))
    }

    fn withdraw(&self, requests: &[RequestId]) -> Result<(), StoreError> {
        self.in_cluster("withdrawing requests", |cluster| cluster.withdraw(requests))
    }

    fn members(&self) -> Result<Members, StoreError> {
        self.in_cluster("reading the nodes", |cluster| cluster.members())
    }

    fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.in_cluster("reading the time", |cluster| cluster.time())
    }

    fn leave(&self) -> Result<(), StoreError> {
        self.in_cluster("leaving the hub", |cluster| cluster.leave())
    }
}

impl fmt::Debug for GuardedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.get().fmt(f)
    }
}
