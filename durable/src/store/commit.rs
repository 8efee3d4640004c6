//! What is written at once, and what an owner finds when it takes over.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::protocol::{
    ExecutionId, HistoryEvent, InstanceId, InstanceRecord, MessageId, PartitionId, TaskMessage,
};

/// How often a partition has changed hands. Who commits under an old epoch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// A group of episodes and messages that is written at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// The partitions for which the committer speaks, each with the epoch in which it claimed it.
    pub owners: Vec<(PartitionId, Epoch)>,
    /// Episodes, in order; several may be of one instance.
    pub episodes: Vec<EpisodeWrite>,
    /// Instances that are removed with their histories. None of them has an episode in this commit.
    pub purged: Vec<(PartitionId, InstanceId)>,
    /// Messages of the owned partitions that have taken effect.
    pub consumed: Vec<(PartitionId, MessageId)>,
    /// Messages to whatever partition, in order.
    pub messages: Vec<(PartitionId, TaskMessage)>,
}

impl Commit {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        let Self { owners: _, episodes, purged, consumed, messages } = self;
        episodes.is_empty() && purged.is_empty() && consumed.is_empty() && messages.is_empty()
    }

    /// Checks the whole commit against what a store holds (contract, points 4, 5, 7 and 16), so
    /// that it can be applied as a whole: a store asks before it applies anything.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::WrittenAndPurged`], [`StoreError::OutOfOrder`], or what
    /// `history_len` answers.
    pub fn check(
        &self,
        epoch: impl Fn(PartitionId) -> Option<Epoch>,
        history_len: impl Fn(&InstanceId, ExecutionId) -> Result<u64, StoreError>,
    ) -> Result<(), StoreError> {
        let stale = self.owners.iter().find(|(partition, owned)| epoch(*partition) != Some(*owned));
        if let Some(partition) = stale.map(|(partition, _)| *partition).or(self.touches_unowned()) {
            return Err(StoreError::Fenced(partition));
        }
        if let Some(instance) = self.written_and_purged() {
            return Err(StoreError::WrittenAndPurged { instance: instance.clone() });
        }
        let mut lengths = BTreeMap::new();
        for EpisodeWrite { record, events, replaces, .. } in &self.episodes {
            if let Some(replaced) = replaces {
                lengths.insert((&record.instance_id, *replaced), 0);
            }
            let length = match lengths.entry((&record.instance_id, record.execution_id)) {
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

    /// A partition that the commit touches and does not own, if there is one.
    fn touches_unowned(&self) -> Option<PartitionId> {
        let episodes = self.episodes.iter().map(|episode| episode.partition);
        let purged = self.purged.iter().map(|(partition, _)| *partition);
        let consumed = self.consumed.iter().map(|(partition, _)| *partition);
        let owned = |partition| self.owners.iter().any(|(owned, _)| *owned == partition);
        episodes.chain(purged).chain(consumed).find(|&partition| !owned(partition))
    }

    /// An instance with an episode that is purged as well, if there is one.
    fn written_and_purged(&self) -> Option<&InstanceId> {
        let written: BTreeSet<_> =
            self.episodes.iter().map(|episode| &episode.record.instance_id).collect();
        self.purged.iter().map(|(_, id)| id).find(|id| written.contains(id))
    }
}

/// What an episode leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpisodeWrite {
    /// The instance's partition.
    pub partition: PartitionId,
    /// The instance as it is after the episode. Its history had
    /// [`last_episode`](InstanceRecord::last_episode) events before.
    pub record: InstanceRecord,
    /// The events of the episode.
    pub events: Vec<HistoryEvent>,
    /// An execution of the instance whose history is removed before this episode is written: the one
    /// before a continue-as-new, or the same if its history is written anew.
    pub replaces: Option<ExecutionId>,
}

/// What an owner finds when it takes a partition over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionState {
    /// Instances whose record says that they are [active](InstanceRecord::active).
    pub active: Vec<InstanceId>,
    /// The place behind the last message that there is: what is sent later has this place or one
    /// behind it. How [`messages`](super::Store::messages) are read that nobody has consumed.
    pub messages_end: u64,
}
