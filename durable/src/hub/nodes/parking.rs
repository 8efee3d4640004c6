//! Parking: if stored data of a partition cannot be read, no node runs the partition until an
//! operator retries it, so that the damage does not stop the other partitions.

use std::sync::Arc;

use super::node::Nodes;
use crate::hub::ownership::Ownership;
use crate::hub::work::activities::Activities;
use crate::protocol::PartitionId;
use crate::store::{Epoch, Store, StoreError, chain};

/// Parks a partition of this node that has encountered an error.
#[derive(Clone, Debug)]
pub(crate) struct Parking {
    nodes: Arc<Nodes>,
    activities: Arc<Activities>,
    store: Arc<dyn Store>,
}

impl Parking {
    pub(crate) fn new(
        nodes: &Arc<Nodes>,
        activities: &Arc<Activities>,
        store: &Arc<dyn Store>,
    ) -> Self {
        let (nodes, activities) = (Arc::clone(nodes), Arc::clone(activities));
        Self { nodes, activities, store: Arc::clone(store) }
    }

    /// Gives up an ownership, because some of the partition's stored data cannot be read.
    ///
    /// The partition is parked before its replies are dropped, because the requests are then sent
    /// to the next owner, and must be refused.
    pub(crate) fn park(&self, owner: &Ownership, reason: &str) {
        if owner.is_lost() {
            return;
        }
        park(&*self.store, owner.partition, owner.epoch, reason);
        self.nodes.not_started.forget(owner);
        self.nodes.mailboxes.lose(owner);
        self.activities.forget_lost();
    }
}

/// Parks a partition that could not be loaded, or releases it if another attempt may succeed.
pub(super) fn give_up(store: &dyn Store, partition: PartitionId, epoch: Epoch, why: &StoreError) {
    let error = chain(why);
    if why.is_unreadable() {
        return park(store, partition, epoch, &error);
    }
    tell!(error, partition = partition.0, error, "a partition cannot be started");
    release(store, partition, epoch);
}

fn park(store: &dyn Store, partition: PartitionId, epoch: Epoch, reason: &str) {
    let Some(cluster) = store.cluster() else { return };
    tell!(
        error,
        partition = partition.0,
        error = reason,
        "a partition is parked: some of its stored data cannot be read"
    );
    if let Err(error) = cluster.park(partition, epoch, reason) {
        let error = chain(&error);
        tell!(warn, partition = partition.0, error, "a partition cannot be parked: it is released");
        release(store, partition, epoch);
    }
}

/// Gives a partition up.
pub(super) fn release(store: &dyn Store, partition: PartitionId, epoch: Epoch) {
    let Some(cluster) = store.cluster() else { return };
    if let Err(error) = cluster.release(partition, epoch) {
        let error = chain(&error);
        tell!(warn, partition = partition.0, error, "a lease cannot be given up: it expires");
    }
}
