//! The owner's copy of a partition's data, which is up to date because the owner is the only
//! writer.

use std::collections::{BTreeMap, HashMap};

use durable::InstanceId;
use durable::protocol::{InstanceRecord, MessageId, PartitionId, Timestamp};
use durable::store::{Commit, Epoch, StoreError};

use crate::keys;

/// The partitions that this store has claimed.
pub(crate) type AllOwned = BTreeMap<PartitionId, Owned>;

/// A partition that this store has claimed.
#[derive(Debug)]
pub(crate) struct Owned {
    pub(crate) epoch: Epoch,
    /// The positions of messages that are not consumed.
    pub(crate) positions: HashMap<MessageId, u64>,
    /// Instances that are active or due.
    pub(crate) listed: HashMap<InstanceId, Listed>,
    /// The position of the next message.
    pub(crate) next: u64,
    /// Messages of other nodes that were received in this ownership and are not committed: the
    /// stream of each by its source and number.
    pub(crate) arrived: HashMap<(PartitionId, u64), u64>,
    /// The last number of each stream that was received in this ownership. Rows up to this number
    /// are not read again, whether they still exist or were deleted.
    pub(crate) marks: HashMap<u64, u64>,
    /// Why a row of the partition, or a message that was sent to it, cannot be read.
    pub(crate) damage: Option<StoreError>,
}

/// How an instance is listed in the tables `active` and `due`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) active: bool,
    pub(crate) due: Option<Timestamp>,
}

impl Listed {
    pub(crate) fn of(record: &InstanceRecord) -> Self {
        Self { active: record.active, due: record.next_due }
    }
}

impl Owned {
    /// A partition that this store has not claimed but sends messages to.
    pub(crate) fn unclaimed(next: u64) -> Self {
        Self { next, ..Self::new(Epoch(0)) }
    }

    /// An empty partition that this store has claimed.
    pub(crate) fn new(epoch: Epoch) -> Self {
        let next = Self::first_position(epoch);
        let (positions, listed, arrived, marks, damage) = <_>::default();
        Self { epoch, positions, listed, next, arrived, marks, damage }
    }

    /// Whether this store has claimed the partition.
    pub(crate) fn is_claimed(&self) -> bool {
        self.epoch != Epoch(0)
    }

    /// Remembers how an instance is listed.
    pub(crate) fn list(&mut self, id: &InstanceId, listed: Listed) {
        if listed == Listed::default() {
            self.listed.remove(id);
        } else {
            self.listed.insert(id.clone(), listed);
        }
    }

    /// The smallest position of an owner's messages. It grows with the epoch, so it is greater than
    /// the positions that earlier owners used, even if no message is left.
    pub(crate) fn first_position(epoch: Epoch) -> u64 {
        epoch.0 << 32
    }
}

/// The keys that a commit inserts into and deletes from `active` and `due`; sorted.
#[derive(Debug, Default)]
pub(crate) struct ListChanges {
    pub(crate) active: Changes,
    pub(crate) due: Changes,
}

#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) inserted: Vec<Vec<u8>>,
    pub(crate) deleted: Vec<Vec<u8>>,
}

impl Changes {
    fn change(&mut self, before: Option<Vec<u8>>, after: Option<Vec<u8>>) {
        if before != after {
            self.deleted.extend(before);
            self.inserted.extend(after);
        }
    }

    fn sort(&mut self) {
        self.inserted.sort_unstable();
        self.deleted.sort_unstable();
    }
}

/// How the instances of a commit are listed after the commit.
pub(crate) fn listed_after(commit: &Commit) -> BTreeMap<(PartitionId, &InstanceId), Listed> {
    let mut after = BTreeMap::new();
    for episode in &commit.episodes {
        let key = (episode.partition, &episode.record.instance_id);
        after.insert(key, Listed::of(&episode.record));
    }
    for (partition, id) in &commit.purged {
        after.insert((*partition, id), Listed::default());
    }
    after
}

/// The changes of the lists.
pub(crate) fn list_changes(
    owned: &AllOwned,
    after: &BTreeMap<(PartitionId, &InstanceId), Listed>,
) -> ListChanges {
    let mut changes = ListChanges::default();
    for ((partition, id), after) in after {
        let before = owned.get(partition).and_then(|owned| owned.listed.get(*id));
        let before = before.copied().unwrap_or_default();
        let active = |listed: Listed| listed.active.then(|| keys::active(*partition, id));
        let due = |listed: Listed| listed.due.map(|at| keys::due(*partition, at, id));
        changes.active.change(active(before), active(*after));
        changes.due.change(due(before), due(*after));
    }
    changes.active.sort();
    changes.due.sort();
    changes
}
