//! The group committer: one thread that makes the episodes of all partitions durable, many at once.
//!
//! Rules:
//! 1. What is written while a commit is under way is the next group: no group waits for another to
//!    join, and none is larger than [`GROUP_MAX`].
//! 2. Effects (activities, answers) leave only when what they follow from is durable, in the order
//!    in which they were written.
//! 3. After a failure nothing is written any more, and nobody is told anything but the failure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};

use super::activities::{Activities, Job, JobKey};
use super::error::StartError;
use super::health::Health;
use super::mail::{End, EndReply, Mailboxes, StartReply};
use crate::protocol::{MessageId, PartitionId};
use crate::store::{Commit, EpisodeWrite, Epoch, Store, StoreError};

/// How many writes a group has at most. Larger ones gain nothing with sled, whose memory grows with
/// the size of its batches.
const GROUP_MAX: usize = 64;

/// What a partition wants written, and what is to happen once it is durable.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) partition: PartitionId,
    /// Counts the writes of the partition.
    pub(super) number: u64,
    pub(super) episode: Option<EpisodeWrite>,
    pub(super) consumed: Option<MessageId>,
    pub(super) effects: Vec<Effect>,
}

/// What happens once a write is durable.
#[derive(Debug)]
pub(super) enum Effect {
    Run(Job),
    Cancel(JobKey),
    Started(StartReply, Result<(), StartError>),
    Ended(EndReply, Option<End>),
}

/// What the committer knows of a partition.
#[derive(Debug)]
pub(super) struct Owned {
    pub(super) epoch: Epoch,
    /// The number of the last write that is durable.
    pub(super) durable: Arc<AtomicU64>,
}

#[derive(Debug)]
pub(super) struct Committer {
    pub(super) store: Arc<dyn Store>,
    pub(super) owned: BTreeMap<PartitionId, Owned>,
    pub(super) activities: Arc<Activities>,
    pub(super) mailboxes: Mailboxes,
    pub(super) health: Arc<Health>,
}

impl Committer {
    /// Runs until every partition has gone.
    pub(super) fn run(self, writes: &Receiver<Write>) {
        while let Ok(first) = writes.recv() {
            let mut group = gather(first, writes);
            if !self.health.has_failed() {
                match self.commit(&mut group) {
                    Ok(()) => self.release(group),
                    // The group with its replies is dropped after the failure is known, so whoever
                    // waits for one learns of it.
                    Err(error) => self.health.fail(error),
                }
            }
            if self.health.has_failed() {
                self.activities.close();
                self.mailboxes.stop_all();
            }
        }
    }

    fn commit(&self, group: &mut [Write]) -> Result<(), StoreError> {
        let mut commit = Commit::default();
        for write in &mut *group {
            let partition = write.partition;
            commit.episodes.extend(write.episode.take());
            commit.consumed.extend(write.consumed.map(|id| (partition, id)));
        }
        if commit.episodes.is_empty() && commit.consumed.is_empty() {
            return Ok(());
        }
        commit.owners = group
            .iter()
            .filter_map(|write| Some((write.partition, self.owned.get(&write.partition)?.epoch)))
            .collect();
        commit.owners.sort_unstable();
        commit.owners.dedup();
        self.store.commit(&commit)
    }

    fn release(&self, group: Vec<Write>) {
        for write in group {
            if let Some(owned) = self.owned.get(&write.partition) {
                owned.durable.store(write.number, Ordering::Release);
            }
            for effect in write.effects {
                match effect {
                    Effect::Run(job) => self.activities.submit(job),
                    Effect::Cancel(key) => self.activities.cancel(&key),
                    // Whoever no longer waits for an answer has dropped its end of the channel.
                    Effect::Started(reply, started) => drop(reply.send(started)),
                    Effect::Ended(reply, end) => drop(reply.send(end)),
                }
            }
        }
    }
}

fn gather(first: Write, writes: &Receiver<Write>) -> Vec<Write> {
    let mut group = vec![first];
    while group.len() < GROUP_MAX {
        match writes.try_recv() {
            Ok(write) => group.push(write),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
        }
    }
    group
}
