//! Faults in reads of a partition's messages.

use std::ops::Range;

use super::{Done, Fault, Faulty};
use crate::protocol::{InstanceId, MessageId, PartitionId, TaskMessage};
use crate::store::{Store, StoreError};

type Placed = (u64, TaskMessage);

impl Faulty {
    pub(super) fn bent_messages(
        &self,
        partition: PartitionId,
        to: Option<&InstanceId>,
        positions: Range<u64>,
        limit: usize,
    ) -> Result<Vec<Placed>, StoreError> {
        let mut all = self.all_bent(partition)?;
        all.retain(|(position, _)| match self.fault {
            Fault::GivesFromTheStart => *position < positions.end,
            Fault::GivesToTheEnd => *position >= positions.start,
            Fault::GivesBehindTheEnd => *position >= positions.start && *position <= positions.end,
            _ => positions.contains(position),
        });
        if self.fault == Fault::LimitsBeforeItLooks {
            all.truncate(limit);
        }
        all.retain(|(_, message)| match (self.fault, to) {
            (_, None) | (Fault::GivesThoseToAll, _) => true,
            (Fault::GivesThoseToAlike, Some(to)) => {
                message.instance_id.as_str().starts_with(to.as_str())
            }
            (_, Some(to)) => message.instance_id == *to,
        });
        match self.fault {
            Fault::GivesMore => {}
            Fault::GivesTheLast => drop(all.drain(..all.len().saturating_sub(limit))),
            _ => all.truncate(limit),
        }
        if self.fault == Fault::GivesNewestFirst {
            all.reverse();
        }
        Ok(all)
    }

    /// All messages of a partition, as this store sees them.
    fn all_bent(&self, partition: PartitionId) -> Result<Vec<Placed>, StoreError> {
        let (kept, mut life) = (self.kept.lock().unwrap(), self.life.lock().unwrap());
        let all = |of: PartitionId| kept.right.messages(of, None, 0..u64::MAX, usize::MAX);
        let mut messages = all(partition)?;
        match self.fault {
            Fault::SortsMessages => reorder(&mut messages, |all| all.sort_by_key(|it| it.id)),
            Fault::NewestFirst => reorder(&mut messages, <[_]>::reverse),
            Fault::PositionsBeginAnew => {
                // The sort is stable: messages sent since the last crash come first.
                let is_old = |message: &TaskMessage| !life.sent.contains(&message.id);
                reorder(&mut messages, |all| all.sort_by_key(is_old));
            }
            Fault::ConsumesByReading => {
                messages.retain(|(_, message)| !life.read.contains(&message.id));
                life.read.extend(messages.iter().map(|(_, message)| message.id));
            }
            Fault::MixesPartitions => {
                messages = kept.epochs.keys().flat_map(|of| all(*of).unwrap()).collect();
            }
            Fault::CutsPartitions => messages = all(PartitionId(partition.0 & 0xff))?,
            Fault::GivesConsumed => messages = sent(&kept.done, partition),
            Fault::CountsFromTheFirst => {
                let positions = 0..;
                messages =
                    positions.zip(messages.into_iter().map(|(_, message)| message)).collect();
            }
            Fault::CountsAnewAfterACrash => {
                let first = messages.first().map_or(0, |(first, _)| *first);
                let first = *life.first_places.entry(partition).or_insert(first);
                for (position, _) in &mut messages {
                    *position -= first;
                }
            }
            _ => {}
        }
        Ok(messages)
    }
}

/// Permutes the messages among their positions.
fn reorder(messages: &mut [Placed], order: impl FnOnce(&mut [TaskMessage])) {
    let mut all: Vec<TaskMessage> = messages.iter().map(|(_, message)| message.clone()).collect();
    order(&mut all);
    messages.iter_mut().zip(all).for_each(|((_, message), other)| *message = other);
}

/// All messages ever sent to a partition, except those consumed in the last commit but one or
/// earlier.
fn sent(done: &[Done], partition: PartitionId) -> Vec<Placed> {
    let commits = done.iter().filter_map(|done| match done {
        Done::Commit(commit) => Some(commit),
        Done::Create(_) | Done::Claim(_) => None,
    });
    let of_it = commits.clone().flat_map(|commit| &commit.messages);
    let of_it = of_it.filter(|(to, _)| *to == partition).map(|(_, message)| message.clone());
    let gone: Vec<MessageId> = commits
        .rev()
        .skip(1)
        .flat_map(|commit| &commit.consumed)
        .map(|(_, message)| *message)
        .collect();
    (0..).zip(of_it).filter(|(_, message)| !gone.contains(&message.id)).collect()
}
