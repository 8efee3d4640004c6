//! The committer: makes the writes of all partitions durable, many in one commit.
//!
//! Its thread commits all queued writes. An idle partition commits one group itself, unless a
//! commit is in progress; the thread takes the next group. Under load, episodes therefore run while
//! others are written, and on an idle hub no thread waits for another to wake up.
//!
//! Rules:
//! 1. Effects (activities, replies) are released in the order of the writes, and only when their
//!    write is durable.
//! 2. After a failed commit no more writes are accepted, and all waiters receive that failure.
//!
//! Read next: `run.rs` (the commit of a group), `queue.rs` (the order of commits) and `group.rs`
//! (which writes share a commit).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::waiting::Writes;
use super::write::{Content, Effect, Write};
use crate::hub::custom_status::Watched;
use crate::hub::health::Health;
use crate::hub::mail::{Mail, Mailboxes};
use crate::hub::telemetry::lifecycle::Lifecycle;
use crate::hub::telemetry::metrics::{self, Stopwatch};
use crate::hub::work::activities::Activities;
use crate::protocol::{PartitionId, TaskMessage};
use crate::store::{Commit, Epoch, Store, StoreError};

/// The committer's state of a partition.
#[derive(Debug)]
pub(crate) struct Owned {
    pub(crate) epoch: Epoch,
    /// The number of the last write that is durable.
    pub(crate) durable: Arc<AtomicU64>,
}

#[derive(Debug)]
pub(crate) struct Committer {
    pub(crate) writes: Writes,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) owned: BTreeMap<PartitionId, Owned>,
    pub(crate) activities: Arc<Activities>,
    pub(crate) mailboxes: Mailboxes,
    pub(crate) health: Arc<Health>,
    pub(crate) lifecycle: Arc<Lifecycle>,
}

impl Committer {
    /// Commits a group. Returns its messages, which are durable and can be delivered.
    pub(super) fn commit(&self, group: &mut [Write]) -> Result<Vec<TaskMessage>, StoreError> {
        let mut commit = Commit::default();
        for write in &mut *group {
            let partition = write.partition;
            let Content { episode, consumed, messages, purged } =
                std::mem::take(&mut write.content);
            commit.episodes.extend(episode);
            commit.consumed.extend(consumed.into_iter().map(|id| (partition, id)));
            commit.purged.extend(purged.into_iter().map(|id| (partition, id)));
            let addressed =
                |message: TaskMessage| (self.mailboxes.partition(&message.instance_id), message);
            commit.messages.extend(messages.into_iter().map(addressed));
        }
        if commit.is_empty() {
            return Ok(Vec::new());
        }
        commit.owners = group
            .iter()
            .filter_map(|write| Some((write.partition, self.owned.get(&write.partition)?.epoch)))
            .collect();
        commit.owners.sort_unstable();
        commit.owners.dedup();
        let watch = Stopwatch::start();
        self.store.commit(&commit)?;
        metrics::committed(&commit, group.len(), watch);
        metrics::store(&*self.store);
        Ok(commit.messages.into_iter().map(|(_, message)| message).collect())
    }

    pub(super) fn take_effect(&self, effect: Effect) {
        match effect {
            Effect::Run(job) => self.activities.submit(job),
            Effect::TakenIn(key, attempt) => self.activities.taken_in(&key, attempt),
            Effect::Cancel(key) => self.activities.cancel(&key),
            Effect::CancelAll(execution) => self.activities.cancel_all(execution),
            // A caller that no longer waits has dropped its end of the channel.
            Effect::Started(reply, started) => drop(reply.send(started)),
            Effect::Managed(reply, managed) => drop(reply.send(managed)),
            Effect::Begun(reply, exists) => drop(reply.send(exists)),
            Effect::Signalled(reply) => drop(reply.send(())),
            Effect::Ended(reply, end) => drop(reply.send(end)),
            Effect::Watching(reply, found) => {
                drop(reply.send(found.map(Watched::subscribe)));
            }
            Effect::Pending(reply, pending) => drop(reply.send(pending)),
            Effect::Following(reply, episodes) => drop(reply.send(episodes)),
            Effect::Recorded(episodes) => drop(episodes.send(())),
            Effect::Said(sender, status) => drop(sender.send(status)),
            Effect::Operated(reply, outcome) => drop(reply.send(outcome)),
            Effect::SignalCancelled(reply, was_waiting) => drop(reply.send(was_waiting)),
            Effect::Unlocked(reply, was_locked) => drop(reply.send(was_locked)),
            Effect::Continue(id) => {
                self.mailboxes.send(&id.clone(), Mail::Continue(id));
            }
            Effect::Notify(notice) => self.lifecycle.notify(notice),
        }
    }
}
