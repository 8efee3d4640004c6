//! The store as a node of a cluster of processes.
//!
//! A node is *alive* while it renews its row, which it does about once a second. It owns its
//! partitions until its lease has expired or its process has visibly ended. All times are those of
//! the database. One table, the outbox, contains what nodes send each other, as numbered streams.
//!
//! Read next: `assign.rs` (who owns what), `receive.rs` (the outbox), `wake.rs` (how it is noticed),
//! `park.rs` (partitions that cannot be read), `place.rs` (partitions that operators place).

mod ask;
mod assign;
mod balance;
mod clock;
mod members;
mod park;
mod place;
mod receive;
mod view;
mod wake;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use durable::protocol::{PartitionId, Timestamp};
use durable::store::{
    Assignment, Cluster, ClusterRequest, Commit, Epoch, Members, Node, Received, RequestId,
    StoreError,
};
use tokio::sync::Mutex as AsyncMutex;
use uuid::Uuid;

pub(crate) use self::clock::Clock;
use self::receive::Incoming;
use self::wake::Wake;
use crate::{PostgresStore, keys};

/// How long a node that joins waits for its listening connection.
const LISTEN_MAX: Duration = Duration::from_secs(1);

/// The state of a store that is a node.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    /// `None` until the store joins.
    identity: RwLock<Option<Identity>>,
    pub(crate) clock: Clock,
    /// Held while the outbox is read, and while partitions are claimed: see `assign.rs`.
    incoming: AsyncMutex<Incoming>,
    asks: ask::Asks,
    /// Replaced when the store joins again.
    wake: RwLock<Arc<Wake>>,
    known: RwLock<Known>,
    /// The senders of the requests that were received.
    askers: Mutex<HashMap<RequestId, Uuid>>,
}

/// This process, as a node.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) id: Uuid,
    /// The stream of the messages that its commits send.
    pub(crate) commits: u64,
    /// The stream of its requests.
    asks: u64,
    node: Node,
}

/// The other nodes, as of the last read.
#[derive(Debug, Default)]
struct Known {
    owners: BTreeMap<PartitionId, Uuid>,
    /// The ids of the other nodes, without this one.
    others: Vec<Uuid>,
    /// The number of times that this node has renewed its lease and read the others.
    looks: u64,
}

impl Identity {
    fn new(node: &Node) -> Self {
        let stream = || Uuid::new_v4().as_u64_pair().0;
        Self { id: Uuid::new_v4(), commits: stream(), asks: stream(), node: node.clone() }
    }
}

impl Nodes {
    /// This process as a node, if it has joined.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.identity.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn joined(&self) -> Result<Identity, StoreError> {
        let remedy = "call `join` first";
        self.identity().ok_or_else(|| StoreError::backend("this store has not joined", remedy))
    }

    fn wake(&self) -> Arc<Wake> {
        Arc::clone(&self.wake.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets the identity of this process as a node.
    pub(crate) fn forget(&self) {
        self.wake().stop();
        *self.identity.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Wakes the nodes for which a commit has queued something.
    pub(crate) fn committed(&self, commit: &Commit) {
        if commit.sent.is_empty() && commit.answers.is_empty() {
            return;
        }
        let Some(me) = self.identity() else { return };
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut askers = self.askers.lock().unwrap_or_else(PoisonError::into_inner);
        let targets = commit.sent.iter().filter_map(|(_, target, _)| known.owners.get(target));
        let mut woken: Vec<Uuid> = targets.copied().collect();
        for (request, _) in &commit.answers {
            match askers.remove(request) {
                Some(asker) => woken.push(asker),
                // The request was made before this node took over the partition.
                None => woken.extend(known.others.iter().copied().chain([me.id])),
            }
        }
        self.wake_all(&me, woken, false);
    }

    fn wake_all(&self, me: &Identity, nodes: Vec<Uuid>, free: bool) {
        let wake = self.wake();
        if nodes.contains(&me.id) {
            wake.signal(|signals| signals.arrived = true);
        }
        wake.notify(nodes.into_iter().filter(|node| *node != me.id), free);
    }
}

impl PostgresStore {
    /// Starts to listen, and takes the lock of this node. The row of the node names the lock, so if
    /// the process dies, the others notice at once. A node that cannot listen waits only briefly.
    async fn start_listening(&self, me: &Identity) {
        self.nodes.wake().stop();
        let wake = Arc::<Wake>::default();
        *self.nodes.wake.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&wake);
        let options = self.sessions.options();
        if options.listen {
            let handle = self.driver.handle();
            handle.spawn(Arc::clone(&wake).run(options.clone(), handle.clone(), me.id));
            wake.wait_until_listening(LISTEN_MAX).await;
        }
    }

    async fn join_as(&self, node: &Node) -> Result<(), StoreError> {
        let known = self.nodes.identity();
        let is_new = known.is_none();
        let mut me = known.unwrap_or_else(|| Identity::new(node));
        me.node = node.clone();
        if is_new {
            *self.nodes.incoming.lock().await = Incoming::default();
            self.start_listening(&me).await;
        }
        view::renew(self, &me).await?;
        if is_new {
            view::raise_clock(self).await?;
        }
        *self.nodes.identity.write().unwrap_or_else(PoisonError::into_inner) = Some(me);
        Ok(())
    }

    async fn release_partition(
        &self,
        partition: PartitionId,
        epoch: Epoch,
    ) -> Result<(), StoreError> {
        let me = self.nodes.joined()?;
        // Raises the epoch, so that no late commit of this node is accepted before the next claim.
        let release = "UPDATE partition SET owner = NULL, epoch = epoch + 1
                       WHERE id = $1 AND epoch = $2 AND owner = $3";
        let (id, number) = (i32::from(partition.0), epoch.0.cast_signed());
        self.sessions.query("cannot release a partition", release, &[&id, &number, &me.id]).await?;
        self.forget_partition(partition, epoch);
        self.wake_others(&me);
        Ok(())
    }

    /// Makes the other nodes check the partitions at once.
    fn wake_others(&self, me: &Identity) {
        let known = self.nodes.known.read().unwrap_or_else(PoisonError::into_inner);
        self.nodes.wake_all(me, known.others.clone(), true);
    }

    async fn leave_cluster(&self) -> Result<(), StoreError> {
        let Ok(me) = self.nodes.joined() else { return Ok(()) };
        let doing = "cannot leave the hub";
        let free = "UPDATE partition SET owner = NULL, epoch = epoch + 1 WHERE owner = $1";
        self.sessions.query(doing, free, &[&me.id]).await?;
        let leave = "
            WITH gone AS (DELETE FROM node WHERE id = $1 RETURNING clock)
            UPDATE hub SET clock = greatest(hub.clock, gone.clock) FROM gone";
        self.sessions.query(doing, leave, &[&me.id]).await?;
        let others = self.nodes.known.read().unwrap_or_else(PoisonError::into_inner).others.clone();
        if self.sessions.options().listen {
            let others = others.into_iter().map(|node| (node, true)).collect();
            let (channels, payloads) = wake::channels(&others);
            self.sessions.query(doing, wake::NOTIFY, &[&channels, &payloads]).await?;
        }
        self.owned_mut().clear();
        self.nodes.forget();
        Ok(())
    }

    /// Forgets a partition that is no longer owned in this epoch.
    fn forget_partition(&self, partition: PartitionId, epoch: Epoch) {
        let mut owned = self.owned_mut();
        if owned.get(&partition).is_some_and(|owned| owned.epoch == epoch) {
            owned.remove(&partition);
        }
    }
}

impl Cluster for PostgresStore {
    fn join(&self, node: &Node) -> Result<(), StoreError> {
        self.driver.run(self.join_as(node))
    }

    fn assign(&self, owned: &[(PartitionId, Epoch)]) -> Result<Assignment, StoreError> {
        self.driver.run(self.assign_partitions(owned))
    }

    fn release(&self, partition: PartitionId, epoch: Epoch) -> Result<(), StoreError> {
        self.driver.run(self.release_partition(partition, epoch))
    }

    fn park(&self, partition: PartitionId, epoch: Epoch, reason: &str) -> Result<(), StoreError> {
        self.driver.run(self.park_partition(partition, epoch, reason))
    }

    fn unpark(&self, partition: PartitionId) -> Result<bool, StoreError> {
        self.driver.run(self.unpark_partition(partition))
    }

    fn pin(&self, partition: PartitionId, node: Option<&str>) -> Result<(), StoreError> {
        self.driver.run(self.set_pin(partition, node))
    }

    fn freeze(&self, partition: PartitionId, reason: Option<&str>) -> Result<(), StoreError> {
        self.driver.run(self.set_frozen(partition, reason))
    }

    fn receive(
        &self,
        owned: &[(PartitionId, Epoch)],
        wait: Duration,
    ) -> Result<Received, StoreError> {
        self.driver.run(self.receive_within(owned, wait))
    }

    fn interrupt(&self) {
        self.nodes.wake().signal(|signals| signals.interrupted = true);
    }

    fn ask(&self, request: &ClusterRequest) -> Result<(), StoreError> {
        self.driver.run(self.ask_owner(request))
    }

    fn withdraw(&self, requests: &[RequestId]) -> Result<(), StoreError> {
        self.driver.run(self.withdraw_from_node(requests))
    }

    fn members(&self) -> Result<Members, StoreError> {
        self.driver.run(self.all_members())
    }

    fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.driver.run(view::time(self)).map(Some)
    }

    fn leave(&self) -> Result<(), StoreError> {
        self.driver.run(self.leave_cluster())
    }
}

/// The start of the keys of what is queued for a node.
fn inbox(me: &Identity) -> Vec<u8> {
    keys::node(me.id)
}
