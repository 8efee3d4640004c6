//! What is written at once, and what an owner finds when it takes over.

use serde::{Deserialize, Serialize};

use crate::protocol::{HistoryEvent, InstanceId, InstanceRecord, MessageId, PartitionId, TaskMessage};

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
    /// Messages of the owned partitions that have taken effect.
    pub consumed: Vec<(PartitionId, MessageId)>,
    /// Messages to whatever partition, in order.
    pub messages: Vec<(PartitionId, TaskMessage)>,
}

impl Commit {
    /// A partition that the commit touches and does not own, if there is one (contract, point 5).
    pub fn touches_unowned(&self) -> Option<PartitionId> {
        let episodes = self.episodes.iter().map(|episode| episode.partition);
        let consumed = self.consumed.iter().map(|(partition, _)| *partition);
        let owned = |partition| self.owners.iter().any(|(owned, _)| *owned == partition);
        episodes.chain(consumed).find(|&partition| !owned(partition))
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
}

/// What an owner finds when it takes a partition over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionState {
    /// Instances that have not finished.
    pub unfinished: Vec<InstanceId>,
    /// Messages that nobody has consumed, in order.
    pub messages: Vec<TaskMessage>,
}
