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

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::draft::{Draft, void};
use super::times::CommitTimes;
use super::waiting::Writes;
use super::write::{Effect, Write};
use crate::hub::custom_status::Watched;
use crate::hub::health::Health;
use crate::hub::mail::Mail;
use crate::hub::mailboxes::Mailboxes;
use crate::hub::ownership::Ownership;
use crate::hub::telemetry::lifecycle::Lifecycle;
use crate::hub::telemetry::metrics::{self, Stopwatch};
use crate::hub::time::clock::stopwatch;
use crate::hub::work::activities::Activities;
use crate::protocol::{PartitionId, TaskMessage};
use crate::store::{Cluster, Store, StoreError};

#[derive(Debug)]
pub(crate) struct Committer {
    pub(crate) writes: Writes,
    pub(crate) store: Arc<dyn Store>,
    /// Whether other processes may own partitions.
    pub(crate) is_shared: bool,
    pub(crate) activities: Arc<Activities>,
    pub(crate) mailboxes: Mailboxes,
    pub(crate) health: Arc<Health>,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) times: Arc<CommitTimes>,
}

impl Committer {
    /// What processes share.
    pub(crate) fn cluster(&self) -> Result<&dyn Cluster, StoreError> {
        let none = || StoreError::Unsupported { what: "several processes".into() };
        self.store.cluster().ok_or_else(none)
    }

    /// Commits a group. Returns its messages, which are durable and can be delivered. If partitions
    /// were lost, the writes of the other partitions are committed.
    pub(super) fn commit(
        &self,
        group: &mut [Write],
    ) -> Result<Vec<(Arc<Ownership>, TaskMessage)>, StoreError> {
        let mut draft = Draft::of(group, &self.mailboxes, self.is_shared);
        loop {
            if draft.is_empty() {
                return Ok(Vec::new());
            }
            let (watch, began) = (Stopwatch::start(), stopwatch());
            match self.store.commit(&draft.commit) {
                Ok(()) => {
                    self.times.add(began.elapsed());
                    metrics::committed(&draft.commit, group.len(), watch);
                    metrics::store(&*self.store);
                    return Ok(draft.into_messages());
                }
                Err(StoreError::Fenced { partitions }) if self.is_shared => {
                    let owners = &draft.commit.owners;
                    if !owners.iter().any(|(partition, _)| partitions.contains(partition)) {
                        return Err(StoreError::fenced(partitions));
                    }
                    self.lose(&partitions, &draft, group);
                    draft = draft.without(&partitions);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Notes that these partitions of a commit have other owners now.
    fn lose(&self, lost: &[PartitionId], draft: &Draft, group: &mut [Write]) {
        for (partition, epoch) in &draft.commit.owners {
            if lost.contains(partition)
                && let Some(owner) = self.mailboxes.owner(*partition)
                && owner.epoch == *epoch
            {
                self.mailboxes.lose(&owner);
            }
        }
        for write in group.iter_mut().filter(|write| lost.contains(&write.owner.partition)) {
            // One that is leaving has no mailbox for others, and waits for its writes.
            if !write.owner.is_lost() {
                self.mailboxes.lose(&write.owner);
            }
            void(write);
        }
        self.activities.forget_lost();
    }

    /// Takes an effect of a write of this owner.
    pub(super) fn take_effect(&self, effect: Effect, owner: &Arc<Ownership>) {
        match effect {
            Effect::Run(job) => self.activities.submit(job, owner),
            Effect::TakenIn(key, attempt) => self.activities.taken_in(&key, attempt),
            Effect::Cancel(key) => self.activities.cancel(&key),
            Effect::CancelAll(execution) => self.activities.cancel_all(execution),
            Effect::Started(reply, started) => reply.send(started),
            Effect::Managed(reply, managed) => reply.send(managed),
            Effect::Begun(reply, exists) => reply.send(exists),
            Effect::Signalled(reply) => reply.send(()),
            Effect::Ended(reply, end) => reply.send(end),
            Effect::Watching(reply, found) => {
                drop(reply.send(found.map(Watched::subscribe)));
            }
            Effect::Pending(reply, pending) => reply.send(pending),
            Effect::Following(reply, episodes) => drop(reply.send(episodes)),
            Effect::Recorded(episodes) => drop(episodes.send(())),
            Effect::Said(sender, status) => drop(sender.send(status)),
            Effect::Operated(reply, outcome) => reply.send(outcome),
            Effect::SignalCancelled(reply, was_waiting) => reply.send(was_waiting),
            Effect::EntityResumed(reply, was_held) => reply.send(was_held),
            Effect::Unlocked(reply, was_locked) => reply.send(was_locked),
            // The commit contains the answer.
            Effect::Refused(..) => {}
            Effect::Continue(id) => self.mailboxes.send_to(owner, Mail::Continue(id)),
            Effect::Notify(notice) => self.lifecycle.notify(notice),
            Effect::Left(has_left) => has_left.store(true, Ordering::Release),
        }
    }
}
