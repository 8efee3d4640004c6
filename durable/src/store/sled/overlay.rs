//! The net effect of the commits that are in the log and not yet in the tree.
//!
//! An overlay lies over the layers *below* it: an older overlay that a checkpoint is writing, and
//! the tree. For each instance that it touches it has the newest record, the new episodes, and
//! which of the histories below still count.
//!
//! Read next: `body.rs` (the changes), `view.rs` (reading through all layers), `checkpoint.rs`
//! (into the tree).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::body::{Change, Episode, Head};
use super::creation::created_at;
use crate::protocol::{ExecutionId, InstanceId, PartitionId, Timestamp};
use crate::store::{Creation, Epoch, StoreError};

/// Approximate memory overhead per instance, per message (live or tombstone) and per episode,
/// without the bytes of the shared frame.
const ENTRY: usize = 544;
const MESSAGE: usize = 96;
const BLOCK: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Overlay {
    pub(super) hub: Option<Bytes>,
    pub(super) epochs: BTreeMap<PartitionId, Epoch>,
    pub(super) instances: BTreeMap<InstanceId, Touched>,
    /// When the instances of this overlay are due.
    pub(super) due: BTreeMap<PartitionId, BTreeSet<(Timestamp, InstanceId)>>,
    /// The orchestrations of this overlay by creation.
    pub(super) creations: BTreeSet<Creation>,
    /// Messages by position; `None` is the tombstone of a consumed message of a layer below.
    pub(super) messages: BTreeMap<(PartitionId, u64), Option<Bytes>>,
    /// The last frame that was applied; 0 before the first.
    pub(super) last: u64,
    /// Approximate memory in bytes.
    pub(super) bytes: usize,
    /// Whether it is rebuilt from the log after a crash. The tree may then contain a part of it
    /// already, so each removal must leave a tombstone.
    pub(super) recovers: bool,
}

/// An instance that the commits of an overlay have touched.
#[derive(Debug)]
pub(super) struct Touched {
    /// `None` if it was purged.
    pub(super) present: Option<Present>,
    pub(super) below: Below,
    /// The last frame that touched it.
    pub(super) sequence: u64,
    /// The episodes added, by execution; nearly always one execution.
    pub(super) histories: Vec<History>,
}

#[derive(Debug)]
pub(super) struct Present {
    pub(super) head: Head,
    pub(super) record: Bytes,
    pub(super) created_at: Timestamp,
}

/// Which histories in the layers below still count.
#[derive(Debug)]
pub(super) enum Below {
    /// The layers below do not have the instance.
    Nothing,
    /// All but the histories of these executions.
    Kept { gone: Vec<ExecutionId> },
    /// The layers below have the instance, and all of it is superseded.
    Gone,
}

#[derive(Debug)]
pub(super) struct History {
    pub(super) execution: ExecutionId,
    pub(super) blocks: Vec<Block>,
}

/// The events of an episode.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Index of the first event.
    pub(super) first: u64,
    pub(super) count: u32,
    pub(super) events: Bytes,
}

impl Touched {
    /// Whether the history below of this execution still counts.
    pub(super) fn keeps(&self, execution: ExecutionId) -> bool {
        match &self.below {
            Below::Nothing | Below::Gone => false,
            Below::Kept { gone } => !gone.contains(&execution),
        }
    }

    /// The executions whose histories below are superseded; `None` if all are.
    pub(super) fn superseded(&self) -> Option<&[ExecutionId]> {
        match &self.below {
            Below::Nothing | Below::Gone => None,
            Below::Kept { gone } => Some(gone),
        }
    }

    /// Whether the layers below do not have it.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.below, Below::Nothing)
    }

    /// The events that were added to the history of an execution.
    pub(super) fn blocks(&self, execution: ExecutionId) -> &[Block] {
        let history = self.histories.iter().find(|history| history.execution == execution);
        history.map_or(&[], |history| &history.blocks)
    }

    fn forget(&mut self, execution: ExecutionId) {
        self.histories.retain(|history| history.execution != execution);
        if let Below::Kept { gone } = &mut self.below
            && !gone.contains(&execution)
        {
            gone.push(execution);
        }
    }

    fn add(&mut self, execution: ExecutionId, block: Block) {
        match self.histories.iter_mut().find(|history| history.execution == execution) {
            Some(history) => history.blocks.push(block),
            None => {
                // Nearly always the only one.
                self.histories.reserve_exact(1);
                self.histories.push(History { execution, blocks: vec![block] });
            }
        }
    }
}

impl Overlay {
    /// Whether no frame was applied. A frame without effect counts: the tree has to record its
    /// number.
    pub(super) fn is_empty(&self) -> bool {
        self.last == 0
    }

    /// The head of an instance that this overlay has touched and not purged.
    pub(super) fn head(&self, id: &InstanceId) -> Option<&Head> {
        let touched = self.instances.get(id)?;
        touched.present.as_ref().map(|present| &present.head)
    }

    /// Applies a change of the frame `sequence`. For an instance that this overlay has not touched,
    /// `below` returns the last frame that touched it in the layers below, if they have it.
    ///
    /// # Errors
    /// The error of `below`; then nothing was changed.
    pub(super) fn apply(
        &mut self,
        sequence: u64,
        change: Change,
        below: impl Fn(&InstanceId) -> Result<Option<u64>, StoreError>,
    ) -> Result<(), StoreError> {
        match change {
            Change::Hub(hub) => self.hub = Some(hub),
            Change::Epoch(partition, epoch) => drop(self.epochs.insert(partition, epoch)),
            Change::Episode(episode) => self.episode(sequence, *episode, below)?,
            Change::Purge(id) => self.purge(sequence, id, below)?,
            Change::Consume(partition, position) => self.consume((partition, position)),
            Change::Message(partition, position, message) => {
                self.messages.insert((partition, position), Some(message));
                self.bytes += MESSAGE;
            }
        }
        Ok(())
    }

    fn episode(
        &mut self,
        sequence: u64,
        episode: Episode,
        below: impl Fn(&InstanceId) -> Result<Option<u64>, StoreError>,
    ) -> Result<(), StoreError> {
        let Episode { id, head, replaces, first, count, record, events } = episode;
        let (touched, created_at) = match self.instances.entry(id.clone()) {
            Entry::Occupied(touched) => {
                let touched = touched.into_mut();
                let known =
                    touched.present.as_ref().filter(|it| it.head.execution == head.execution);
                let created_at = match known {
                    Some(present) => present.created_at,
                    None => created_at(&record)?,
                };
                (touched, created_at)
            }
            Entry::Vacant(untouched) => {
                let created_at = created_at(&record)?;
                let below = match below(untouched.key())? {
                    // A checkpoint that a crash interrupted had already written this.
                    Some(known) if known >= sequence => return Ok(()),
                    Some(_) => Below::Kept { gone: Vec::new() },
                    // The interrupted checkpoint may have written a part of a history.
                    None if self.recovers => Below::Gone,
                    None => Below::Nothing,
                };
                self.bytes += ENTRY;
                let histories = Vec::new();
                let touched = Touched { present: None, below, sequence, histories };
                (untouched.insert(touched), created_at)
            }
        };
        let created_before = touched.present.as_ref().map(|present| present.created_at);
        if created_before != Some(created_at) && id.is_orchestration() {
            if let Some(before) = created_before {
                self.creations.remove(&(before, id.clone()));
            }
            self.creations.insert((created_at, id.clone()));
        }
        let due_before = touched.present.as_ref().and_then(|present| present.head.next_due);
        if due_before != head.next_due {
            let of_partition = self.due.entry(head.partition).or_default();
            if let Some(before) = due_before {
                of_partition.remove(&(before, id.clone()));
            }
            if let Some(due) = head.next_due {
                of_partition.insert((due, id));
            }
        }
        if let Some(replaced) = replaces {
            touched.forget(replaced);
        }
        if count > 0 {
            touched.add(head.execution, Block { first, count, events });
        }
        touched.present = Some(Present { head, record, created_at });
        touched.sequence = sequence;
        self.bytes += BLOCK;
        Ok(())
    }

    fn purge(
        &mut self,
        sequence: u64,
        id: InstanceId,
        below: impl Fn(&InstanceId) -> Result<Option<u64>, StoreError>,
    ) -> Result<(), StoreError> {
        let purged = |below| Touched { present: None, below, sequence, histories: Vec::new() };
        match self.instances.entry(id) {
            Entry::Vacant(untouched) => {
                let is_there = below(untouched.key())?.map(|known| known < sequence);
                if is_there.unwrap_or(self.recovers) {
                    untouched.insert(purged(Below::Gone));
                    self.bytes += ENTRY;
                }
            }
            Entry::Occupied(mut touched) => {
                if let Some(Present { head, created_at, .. }) = &touched.get().present {
                    self.creations.remove(&(*created_at, touched.key().clone()));
                    if let Some(due) = head.next_due {
                        let of_partition = self.due.entry(head.partition).or_default();
                        of_partition.remove(&(due, touched.key().clone()));
                    }
                }
                match touched.get().below {
                    Below::Nothing => drop(touched.remove()),
                    Below::Kept { .. } | Below::Gone => drop(touched.insert(purged(Below::Gone))),
                }
            }
        }
        Ok(())
    }

    fn consume(&mut self, position: (PartitionId, u64)) {
        let is_only_here = matches!(self.messages.get(&position), Some(Some(_))) && !self.recovers;
        if is_only_here {
            self.messages.remove(&position);
            self.bytes = self.bytes.saturating_sub(MESSAGE);
        } else {
            self.messages.insert(position, None);
            self.bytes += MESSAGE;
        }
    }
}
