//! The content of a commit, and the state of a partition that its new owner reads.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{ReceivedMessage, RequestId, StoreError};
use crate::protocol::{
    ExecutionId, HistoryEvent, InstanceId, InstanceRecord, MessageId, PartitionId, TaskMessage,
};

/// The number of times that a partition has been claimed. A commit under an old epoch is rejected
/// (fenced).
///
/// ```
/// use durable::store::Epoch;
///
/// // Each claim of a partition has a greater one.
/// assert!(Epoch(2) > Epoch(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// A group of episodes and messages that is written atomically.
///
/// ```
/// use durable::protocol::PartitionId;
/// use durable::store::{Commit, Epoch, MemoryStore, Store};
///
/// let store = MemoryStore::default();
/// # use durable::protocol::{HubRecord, Timestamp};
/// # store.create(&HubRecord::new(1, Timestamp::from_micros(0).unwrap()))?;
/// let epoch = store.claim(PartitionId(0))?;
/// let commit = Commit::new(vec![(PartitionId(0), epoch)]);
/// assert!(commit.is_empty());
/// store.commit(&commit)?;
/// # Ok::<(), durable::store::StoreError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Commit {
    /// The partitions that the caller owns, each with the epoch of its claim.
    pub owners: Vec<(PartitionId, Epoch)>,
    /// The episodes, in order. Several may belong to one instance.
    pub episodes: Vec<EpisodeWrite>,
    /// Instances to remove with their histories. None of them may have an episode in this commit.
    pub purged: Vec<(PartitionId, InstanceId)>,
    /// Messages that have taken effect and are removed. Their partitions must be owned.
    pub consumed: Vec<(PartitionId, MessageId)>,
    /// Messages to any partitions, in order. In a store that several processes share, the caller
    /// must own these partitions.
    pub messages: Vec<(PartitionId, TaskMessage)>,
    /// Messages from the first partition to the second, in order. The caller must own the first.
    /// The second is owned by another node or by none, or by the caller if earlier messages between
    /// the two may not have been received. Like the fields below, only for a store with a
    /// [`Cluster`](super::Cluster).
    pub sent: Vec<(PartitionId, PartitionId, TaskMessage)>,
    /// Messages from other nodes. Each becomes a message of its target, before those in `messages`.
    pub received: Vec<ReceivedMessage>,
    /// Requests that are stored as messages with the same ids. They are not delivered again. The
    /// store remembers ids that it does not know, so that these requests are not delivered if they
    /// arrive later.
    pub taken: Vec<RequestId>,
    /// The answers to requests, as JSON. They end the delivery of the requests.
    pub answers: Vec<(RequestId, String)>,
}

impl Commit {
    /// Creates an empty commit by the owner of these partitions.
    ///
    /// ```
    /// use durable::protocol::PartitionId;
    /// use durable::store::{Commit, Epoch};
    ///
    /// let commit = Commit::new(vec![(PartitionId(0), Epoch(1))]);
    /// assert!(commit.is_empty());
    /// ```
    pub fn new(owners: Vec<(PartitionId, Epoch)>) -> Self {
        Self { owners, ..Self::default() }
    }

    /// Returns `true` if there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        let Self {
            owners: _,
            episodes,
            purged,
            consumed,
            messages,
            sent,
            received,
            taken,
            answers,
        } = self;
        episodes.is_empty()
            && purged.is_empty()
            && consumed.is_empty()
            && messages.is_empty()
            && sent.is_empty()
            && received.is_empty()
            && taken.is_empty()
            && answers.is_empty()
    }

    /// Checks the commit against the content of a store (contract, points 4, 5, 7 and 16). A store
    /// calls this method before it applies anything. `epoch` returns the current epoch of a
    /// partition, and `history_len` the number of stored events of an execution.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::WrittenAndPurged`], [`StoreError::OutOfOrder`], or the
    /// error that `history_len` returned.
    pub fn check(
        &self,
        epoch: impl Fn(PartitionId) -> Option<Epoch>,
        history_len: impl Fn(&InstanceId, ExecutionId) -> Result<u64, StoreError>,
    ) -> Result<(), StoreError> {
        let stale =
            self.owners.iter().filter(|(partition, owned)| epoch(*partition) != Some(*owned));
        let stale = stale.map(|(partition, _)| *partition);
        let mut lost: Vec<_> = stale.chain(self.touched().filter(|it| !self.owns(*it))).collect();
        if !lost.is_empty() {
            let mut seen = BTreeSet::new();
            lost.retain(|partition| seen.insert(*partition));
            return Err(StoreError::fenced(lost));
        }
        if let Some(instance) = self.written_and_purged() {
            return Err(StoreError::WrittenAndPurged { instance: instance.clone() });
        }
        let mut lengths = BTreeMap::new();
        for EpisodeWrite { record, events, replaces, .. } in &self.episodes {
            if let Some(replaced) = replaces {
                lengths.insert((*replaced, &record.instance_id), 0);
            }
            let length = match lengths.entry((record.execution_id, &record.instance_id)) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => {
                    unknown.insert(history_len(&record.instance_id, record.execution_id)?)
                }
            };
            if *length != record.last_episode {
                return Err(StoreError::OutOfOrder {
                    instance: record.instance_id.clone(),
                    found: *length,
                    expected: record.last_episode,
                });
            }
            *length += events.len() as u64;
        }
        Ok(())
    }

    /// The partitions that the commit changes other than by sending messages to them.
    fn touched(&self) -> impl Iterator<Item = PartitionId> {
        let episodes = self.episodes.iter().map(|episode| episode.partition);
        let purged = self.purged.iter().map(|(partition, _)| *partition);
        let consumed = self.consumed.iter().map(|(partition, _)| *partition);
        let sent = self.sent.iter().map(|(source, _, _)| *source);
        let received = self.received.iter().map(|message| message.target);
        episodes.chain(purged).chain(consumed).chain(sent).chain(received)
    }

    fn owns(&self, partition: PartitionId) -> bool {
        self.owners.iter().any(|(owned, _)| *owned == partition)
    }

    /// An instance that the commit both writes and purges.
    fn written_and_purged(&self) -> Option<&InstanceId> {
        if self.purged.is_empty() {
            return None;
        }
        let written: BTreeSet<_> =
            self.episodes.iter().map(|episode| &episode.record.instance_id).collect();
        self.purged.iter().map(|(_, id)| id).find(|id| written.contains(id))
    }
}

/// The result of an episode: the new record of its instance, and the new events.
///
/// ```
/// use durable::InstanceId;
/// use durable::protocol::{ExecutionId, InstanceRecord, PartitionId, Timestamp};
/// use durable::store::EpisodeWrite;
///
/// let (id, now) = (InstanceId::new("order-17")?, Timestamp::from_micros(0).unwrap());
/// let partition = PartitionId::of(&id, 4);
/// let record = InstanceRecord::new(id, ExecutionId::generate(), "order", None, now);
/// let episode = EpisodeWrite::new(partition, record, Vec::new());
/// assert_eq!(episode.replaces, None);
/// # Ok::<(), durable::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EpisodeWrite {
    /// The instance's partition.
    pub partition: PartitionId,
    /// The record of the instance after the episode. Before the episode, the history had
    /// [`last_episode`](InstanceRecord::last_episode) events.
    pub record: InstanceRecord,
    /// The events of the episode.
    pub events: Vec<HistoryEvent>,
    /// An execution of the instance whose history is removed before this episode is written: the
    /// previous one after a continue-as-new, or the same one if its history is rewritten.
    pub replaces: Option<ExecutionId>,
}

impl EpisodeWrite {
    /// Creates an episode that adds to the history of the record's execution.
    ///
    /// ```
    /// use durable::InstanceId;
    /// use durable::protocol::{ExecutionId, InstanceRecord, PartitionId, Timestamp};
    /// use durable::store::EpisodeWrite;
    ///
    /// let (id, execution) = (InstanceId::new("order-17")?, ExecutionId::from_u128(1));
    /// let record = InstanceRecord::new(id, execution, "order", None, Timestamp::default());
    /// let mut anew = EpisodeWrite::new(PartitionId(0), record, Vec::new());
    /// anew.replaces = Some(execution);
    /// # Ok::<(), durable::protocol::InvalidInstanceId>(())
    /// ```
    pub fn new(partition: PartitionId, record: InstanceRecord, events: Vec<HistoryEvent>) -> Self {
        Self { partition, record, events, replaces: None }
    }
}

/// The state of a partition, as its new owner reads it.
///
/// ```
/// use durable::store::PartitionState;
///
/// let empty = PartitionState::new(Vec::new(), 0);
/// assert!(empty.active.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionState {
    /// Instances whose record is marked [active](InstanceRecord::active).
    pub active: Vec<InstanceId>,
    /// One past the position of the last message. A new owner reads the unconsumed
    /// [`messages`](super::Store::messages) below it; later ones have this position or a greater
    /// one.
    pub messages_end: u64,
}

impl PartitionState {
    /// Creates a state from the active instances and one past the position of the last message.
    ///
    /// ```
    /// use durable::store::PartitionState;
    ///
    /// assert_eq!(PartitionState::new(Vec::new(), 0), PartitionState::default());
    /// ```
    pub fn new(active: Vec<InstanceId>, messages_end: u64) -> Self {
        Self { active, messages_end }
    }
}
