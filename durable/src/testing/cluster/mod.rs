//! A hub in memory that several nodes share, for tests.

mod simulated;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::protocol::{PartitionId, Timestamp};
use crate::store::{
    Assignment, Cluster, ClusterRequest, Commit, Epoch, FrozenPartition, Member, Members,
    MemoryStore, Node, ParkedPartition, PinnedPartition, Received, ReceivedMessage, RequestId,
    Store, StoreError,
};

/// A store in memory that the hubs of one test share, as processes share a database. Each hub opens a
/// [`node`](Self::node) of it.
///
/// ```
/// use durable::prelude::*;
/// use durable::testing::MemoryCluster;
///
/// #[orchestrator]
/// async fn answer(ctx: &OrchestrationContext) -> Result<u32> { Ok(42) }
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// let cluster = MemoryCluster::default();
/// let worker = TaskHub::builder().store(cluster.node()).open().await?;
/// let client = TaskHub::builder().store(cluster.node()).client_only().open().await?;
/// assert_eq!(client.start(answer()).await?.result().await?, 42);
/// client.shutdown().await?;
/// # Ok(worker.shutdown().await?)
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryCluster(Arc<Shared>);

/// The store of one node of a [`MemoryCluster`]. Its clones are the same node.
///
/// ```
/// assert!(durable::testing::MemoryCluster::default().node().partitions().is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct MemoryNode {
    pub(super) shared: Arc<Shared>,
    number: u64,
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) store: MemoryStore,
    state: Mutex<State>,
    pub(super) changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    created: u64,
    pub(super) partitions: u16,
    nodes: BTreeMap<u64, Joined>,
    owners: BTreeMap<PartitionId, (u64, Epoch)>,
    /// The partitions whose owners were cut off.
    orphaned: BTreeSet<PartitionId>,
    /// The parked partitions, with the reasons.
    parked: BTreeMap<PartitionId, String>,
    /// The pinned partitions, with the names of the nodes that should own them.
    pinned: BTreeMap<PartitionId, String>,
    /// The frozen partitions, with the reasons.
    frozen: BTreeMap<PartitionId, String>,
    /// Messages that were not received yet, in the order in which they were committed.
    outbox: BTreeMap<u64, ReceivedMessage>,
    sent: u64,
    /// The messages that were delivered to the present owner.
    given: BTreeSet<u64>,
    requests: BTreeMap<RequestId, Asked>,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is set and cleared by itself")]
struct Joined {
    node: Node,
    is_cut_off: bool,
    is_interrupted: bool,
    has_changed: bool,
    holds_messages: bool,
}

#[derive(Debug, Default)]
struct Asked {
    request: Option<ClusterRequest>,
    by: Option<u64>,
    is_taken: bool,
    answer: Option<String>,
    /// Whether the request was delivered to the present owner.
    is_given: bool,
}

impl MemoryCluster {
    /// Creates a node.
    pub fn node(&self) -> MemoryNode {
        let mut state = self.0.state();
        state.created += 1;
        MemoryNode { shared: Arc::clone(&self.0), number: state.created }
    }
}

impl MemoryNode {
    /// Expires all leases of the node, as if its process had stopped for a while: other nodes take
    /// over its partitions, and the node does not learn of it before its next commit.
    pub fn cut_off(&self) {
        self.shared.change(|state| {
            if let Some(node) = state.nodes.get_mut(&self.number) {
                node.is_cut_off = true;
            }
            let orphaned: Vec<_> = state.owned_by(self.number).collect();
            state.orphaned.extend(orphaned);
            state.owners.retain(|_, (owner, _)| *owner != self.number);
        });
    }

    /// Ends the effect of [`cut_off`](Self::cut_off).
    pub fn reconnect(&self) {
        self.shared.change(|state| {
            if let Some(node) = state.nodes.get_mut(&self.number) {
                node.is_cut_off = false;
            }
        });
    }

    /// Holds back the messages of other nodes to this one, as a slow network does; `false` lets
    /// them arrive.
    pub fn hold_messages(&self, holds: bool) {
        if let Some(node) = self.shared.state().nodes.get_mut(&self.number) {
            node.holds_messages = holds;
        }
        self.shared.changed.notify_all();
    }

    /// Returns the partitions that the node owns.
    pub fn partitions(&self) -> Vec<PartitionId> {
        self.shared.state().owned_by(self.number).collect()
    }

    /// Returns the number of requests of the node's clients that are stored for other nodes, or
    /// whose answers the node has not received.
    pub fn requests(&self) -> usize {
        let state = self.shared.state();
        state.requests.values().filter(|asked| asked.by == Some(self.number)).count()
    }
}

/// Sets what is known of a partition, or removes it.
fn set(all: &mut BTreeMap<PartitionId, String>, partition: PartitionId, text: Option<&str>) {
    match text {
        Some(text) => drop(all.insert(partition, text.to_owned())),
        None => drop(all.remove(&partition)),
    }
}

impl Shared {
    /// Changes which node owns or should own a partition.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let changed = change(&mut state);
        state.note_change();
        self.changed.notify_all();
        changed
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn owned_by(&self, number: u64) -> impl Iterator<Item = PartitionId> {
        let owned = self.owners.iter().filter(move |(_, (owner, _))| *owner == number);
        owned.map(|(partition, _)| *partition)
    }

    fn is_owner(&self, partition: PartitionId, epoch: Epoch) -> bool {
        self.owners.get(&partition).is_some_and(|(_, owned)| *owned == epoch)
    }

    /// Whether a node may claim a partition.
    fn is_free(&self, partition: PartitionId) -> bool {
        !self.is_kept(partition) && !self.owners.contains_key(&partition)
    }

    /// Whether nobody may claim the partition.
    fn is_kept(&self, partition: PartitionId) -> bool {
        self.parked.contains_key(&partition) || self.frozen.contains_key(&partition)
    }

    /// Whether the node owns a partition that does not run.
    fn is_idle(
        &self,
        partition: PartitionId,
        number: u64,
        running: &[(PartitionId, Epoch)],
    ) -> bool {
        let owner = self.owners.get(&partition).filter(|(owner, _)| *owner == number);
        let runs = |epoch| running.contains(&(partition, epoch));
        owner.is_some_and(|(_, epoch)| !runs(*epoch)) && !self.is_kept(partition)
    }

    /// Withdraws the requests of a node to parked partitions that are not answered.
    fn withdraw(&mut self, number: u64) -> Vec<(RequestId, ParkedPartition)> {
        let parked = &self.parked;
        let refused = |asked: &Asked| {
            let target = asked.request.as_ref().map(|request| request.target)?;
            let reason = parked.get(&target)?;
            let is_open = asked.by == Some(number) && asked.answer.is_none();
            is_open.then(|| ParkedPartition::new(target, reason))
        };
        let mut withdrawn = Vec::new();
        self.requests.retain(|id, asked| match refused(asked) {
            Some(parked) => {
                withdrawn.push((*id, parked));
                false
            }
            None => true,
        });
        withdrawn
    }

    fn note_change(&mut self) {
        self.nodes.values_mut().for_each(|node| node.has_changed = true);
    }

    /// The node that should own a partition.
    fn wanted(&self, partition: PartitionId) -> Option<u64> {
        if self.frozen.contains_key(&partition) {
            return self.owners.get(&partition).map(|(owner, _)| *owner);
        }
        let workers = self.nodes.iter().filter(|(_, it)| !it.is_cut_off && !it.node.is_client);
        let pin = self.pinned.get(&partition);
        let pinned = workers.clone().find(|(_, it)| pin == Some(&it.node.name));
        if let Some((number, _)) = pinned {
            return Some(*number);
        }
        let workers: Vec<_> = workers.map(|(number, _)| *number).collect();
        workers.get(usize::from(partition.0).checked_rem(workers.len())?).copied()
    }

    /// Marks everything that was not committed as not delivered: the partition has a new owner.
    fn forget_given(&mut self, partition: PartitionId) {
        let given: BTreeSet<u64> = std::mem::take(&mut self.given);
        let of_others =
            |number: &u64| self.outbox.get(number).is_some_and(|it| it.target != partition);
        self.given = given.into_iter().filter(of_others).collect();
        let to_it = |asked: &&mut Asked| {
            asked.request.as_ref().is_some_and(|request| request.target == partition)
        };
        self.requests.values_mut().filter(to_it).for_each(|asked| asked.is_given = false);
    }

    pub(super) fn exchange(&mut self, commit: &Commit) {
        for received in &commit.received {
            self.outbox.remove(&received.sequence);
            self.given.remove(&received.sequence);
        }
        for (source, target, message) in &commit.sent {
            self.sent += 1;
            let sent = ReceivedMessage::new(*target, (*source, self.sent), message.clone());
            self.outbox.insert(self.sent, sent);
        }
        for request in &commit.taken {
            self.requests.entry(*request).or_default().is_taken = true;
        }
        for (request, answer) in &commit.answers {
            let asked = self.requests.entry(*request).or_default();
            asked.answer.get_or_insert_with(|| answer.clone());
        }
    }

    /// The partitions in `owned` that the caller really owns.
    fn owned(&self, owned: &[(PartitionId, Epoch)]) -> BTreeSet<PartitionId> {
        let owned = owned.iter().filter(|(it, epoch)| self.is_owner(*it, *epoch));
        owned.map(|(it, _)| *it).collect()
    }

    /// The partitions in `owners` that the caller does not own any more.
    pub(super) fn lost(&self, owners: &[(PartitionId, Epoch)]) -> Vec<PartitionId> {
        let is_lost =
            |(partition, epoch): &&(PartitionId, Epoch)| !self.is_owner(*partition, *epoch);
        owners.iter().filter(is_lost).map(|(it, _)| *it).collect()
    }

    /// What has arrived, with at most this many messages and requests.
    fn receive(&mut self, number: u64, owned: &[(PartitionId, Epoch)], at_most: usize) -> Received {
        let mut received = Received::default();
        let owned = self.owned(owned);
        let holds = self.nodes.get(&number).is_some_and(|node| node.holds_messages);
        for (place, message) in &self.outbox {
            if !owned.contains(&message.target) || self.given.contains(place) {
                continue;
            }
            if holds || received.messages.len() == at_most {
                received.has_more = true;
                break;
            }
            self.given.insert(*place);
            received.messages.push(message.clone());
        }
        for asked in self.requests.values_mut().filter(|asked| asked.is_open(&owned)) {
            if received.requests.len() == at_most {
                break;
            }
            asked.is_given = true;
            received.requests.extend(asked.request.clone());
        }
        self.requests.retain(|request, asked| match &asked.answer {
            Some(answer) if asked.by == Some(number) => {
                received.answers.push((*request, answer.clone()));
                false
            }
            _ => true,
        });
        if let Some(node) = self.nodes.get_mut(&number) {
            received.has_changed = std::mem::take(&mut node.has_changed);
        }
        received
    }
}

impl Asked {
    /// Whether the request is to be delivered to the owner of one of these partitions.
    fn is_open(&self, owned: &BTreeSet<PartitionId>) -> bool {
        let target = self.request.as_ref().map(|request| request.target);
        let is_new = self.answer.is_none() && !self.is_taken && !self.is_given;
        is_new && target.is_some_and(|target| owned.contains(&target))
    }
}

impl Cluster for MemoryNode {
    fn join(&self, node: &Node) -> Result<(), StoreError> {
        let joined = Joined {
            node: node.clone(),
            is_cut_off: false,
            is_interrupted: false,
            has_changed: false,
            holds_messages: false,
        };
        self.shared.change(|state| state.nodes.insert(self.number, joined));
        Ok(())
    }

    fn assign(&self, owned: &[(PartitionId, Epoch)]) -> Result<Assignment, StoreError> {
        let mut state = self.shared.state();
        let mut assignment = Assignment::default();
        if state.nodes.get(&self.number).is_none_or(|node| node.is_cut_off) {
            return Ok(assignment);
        }
        for (partition, epoch) in owned {
            if !state.is_owner(*partition, *epoch) {
                assignment.lost.push(*partition);
            } else if state.wanted(*partition) != Some(self.number) {
                assignment.to_release.push(*partition);
            }
        }
        for partition in (0..state.partitions).map(PartitionId) {
            let is_wanted = state.wanted(partition) == Some(self.number);
            if state.is_free(partition) && is_wanted || state.is_idle(partition, self.number, owned)
            {
                let epoch = self.shared.store.claim(partition)?;
                state.owners.insert(partition, (self.number, epoch));
                state.forget_given(partition);
                assignment.gained.push((partition, epoch));
                assignment.orphaned.extend(state.orphaned.take(&partition));
            }
        }
        assignment.refused = state.withdraw(self.number);
        Ok(assignment)
    }

    fn release(&self, partition: PartitionId, epoch: Epoch) -> Result<(), StoreError> {
        let mut state = self.shared.state();
        if state.owners.get(&partition) == Some(&(self.number, epoch)) {
            state.owners.remove(&partition);
            state.note_change();
            self.shared.changed.notify_all();
        }
        Ok(())
    }

    fn park(&self, partition: PartitionId, epoch: Epoch, reason: &str) -> Result<(), StoreError> {
        let mut state = self.shared.state();
        if state.owners.get(&partition) == Some(&(self.number, epoch)) {
            state.owners.remove(&partition);
            state.parked.insert(partition, reason.to_owned());
            state.note_change();
            self.shared.changed.notify_all();
        }
        Ok(())
    }

    fn unpark(&self, partition: PartitionId) -> Result<bool, StoreError> {
        Ok(self.shared.change(|state| state.parked.remove(&partition).is_some()))
    }

    fn pin(&self, partition: PartitionId, node: Option<&str>) -> Result<(), StoreError> {
        self.shared.change(|state| set(&mut state.pinned, partition, node));
        Ok(())
    }

    fn freeze(&self, partition: PartitionId, reason: Option<&str>) -> Result<(), StoreError> {
        self.shared.change(|state| set(&mut state.frozen, partition, reason));
        Ok(())
    }

    fn receive(
        &self,
        owned: &[(PartitionId, Epoch)],
        wait: Duration,
    ) -> Result<Received, StoreError> {
        let mut state = self.shared.state();
        loop {
            let received = state.receive(self.number, owned, usize::MAX);
            let node = state.nodes.get_mut(&self.number);
            let is_interrupted = node.is_none_or(|node| std::mem::take(&mut node.is_interrupted));
            // What is held back does not end the wait.
            let is_empty = Received { has_more: false, ..received.clone() } == Received::default();
            if is_interrupted || !is_empty {
                return Ok(received);
            }
            let waited = self.shared.changed.wait_timeout(state, wait);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = guard;
            if timeout.timed_out() {
                return Ok(received);
            }
        }
    }

    fn interrupt(&self) {
        if let Some(node) = self.shared.state().nodes.get_mut(&self.number) {
            node.is_interrupted = true;
        }
        self.shared.changed.notify_all();
    }

    fn ask(&self, request: &ClusterRequest) -> Result<(), StoreError> {
        let mut state = self.shared.state();
        if let Some(reason) = state.parked.get(&request.target) {
            return Err(StoreError::Parked { partition: request.target, reason: reason.clone() });
        }
        let asked = state.requests.entry(request.id).or_default();
        asked.by = Some(self.number);
        asked.request.get_or_insert_with(|| request.clone());
        self.shared.changed.notify_all();
        Ok(())
    }

    fn withdraw(&self, requests: &[RequestId]) -> Result<(), StoreError> {
        let mut state = self.shared.state();
        let is_open = |asked: &Asked| asked.by == Some(self.number) && asked.answer.is_none();
        state.requests.retain(|id, asked| !(requests.contains(id) && is_open(asked)));
        Ok(())
    }

    fn members(&self) -> Result<Members, StoreError> {
        let state = self.shared.state();
        let member = |(number, joined): (&u64, &Joined)| {
            let times = (Timestamp::default(), Timestamp::default());
            let partitions = state.owned_by(*number).collect();
            Member::new(joined.node.clone(), *number == self.number, times, partitions)
        };
        let free = (0..state.partitions).map(PartitionId);
        let is_held =
            |it: &PartitionId| state.owners.contains_key(it) || state.parked.contains_key(it);
        let free = free.filter(|partition| !is_held(partition)).collect();
        let mut members = Members::new(state.nodes.iter().map(member).collect(), free);
        let parked = state.parked.iter();
        members.parked =
            parked.map(|(partition, why)| ParkedPartition::new(*partition, why)).collect();
        let pinned = state.pinned.iter().map(|(it, node)| PinnedPartition::new(*it, node));
        members.pinned = pinned.collect();
        let frozen = state.frozen.iter().map(|(it, why)| FrozenPartition::new(*it, why));
        members.frozen = frozen.collect();
        Ok(members)
    }

    fn leave(&self) -> Result<(), StoreError> {
        self.shared.change(|state| {
            state.nodes.remove(&self.number);
            state.owners.retain(|_, (owner, _)| *owner != self.number);
        });
        Ok(())
    }
}
