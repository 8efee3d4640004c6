//! I28: a commit names the owners of everything that it changes, so that the store can refuse it.
//!
//! "A commit under an old epoch writes nothing and fails" (`Cluster`); "in a store that several
//! processes share, the caller must own these partitions" (`Commit::messages`).

use durable::protocol::PartitionId;
use durable::store::Commit;

pub(super) fn names_its_partitions(commit: &Commit) -> Result<(), String> {
    let owners = &commit.owners;
    let is_owned = |partition: &PartitionId| owners.iter().any(|(it, _)| it == partition);
    let episodes = commit.episodes.iter().map(|episode| episode.partition);
    let consumed = commit.consumed.iter().map(|(partition, _)| *partition);
    let purged = commit.purged.iter().map(|(partition, _)| *partition);
    let sent = commit.sent.iter().map(|(from, ..)| *from);
    let received = commit.received.iter().map(|received| received.target);
    let mut changed = episodes.chain(consumed).chain(purged).chain(sent).chain(received);
    match changed.find(|partition| !is_owned(partition)) {
        Some(partition) => Err(format!("I28 a commit changes {partition}, and names no owner")),
        None => Ok(()),
    }
}
