//! Checkpoints: writing an overlay into the tree.
//!
//! Rules:
//! 1. Each instance is written in one atomic batch, and its value in the tree names the last log
//!    frame that it contains. So an interrupted checkpoint does no harm: after a crash the log is
//!    applied again, and frames that the tree already contains are skipped. A checkpoint that gave
//!    up because the disk was full is restarted with the same overlay, and skips the same frames.
//! 2. Each batch is synced before the next one, because sled reuses space freed by an earlier batch
//!    as soon as it has passed that batch to the operating system.
//! 3. Batches are small, because sled blocks all readers and writers while it applies one. Parts
//!    that are too large are written first: no reader looks at them before the instance's value
//!    refers to them.
//! 4. The number of the last frame that the tree contains is written after everything else is
//!    durable, together with that of the index by creation (`creation.rs`).
//!
//! Read next: `stored.rs` (the value of an instance), `keys.rs`.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::base::Base;
use super::body::Head;
use super::creation::{IndexChanges, created_at};
use super::keys;
use super::overlay::{Block, Overlay, Present, Touched};
use super::sizes::{CheckpointSizes, Sizes};
use super::stored::{self, Stored};
use super::tree::Batch;
use super::values::{self, encoded};
use crate::protocol::{ExecutionId, InstanceId, PartitionId};
use crate::store::StoreError;

/// A checkpoint in progress: an overlay that is written to the tree, batch by batch.
#[derive(Debug)]
pub(super) struct Checkpoint {
    sizes: CheckpointSizes,
    /// Whether each batch is synced.
    syncs: bool,
    place: Place,
    /// The number of overlay entries that are written.
    entries: usize,
}

/// What is written next.
#[derive(Debug)]
enum Place {
    Facts,
    /// The instances after this one.
    Instances(Option<InstanceId>),
    /// The messages after this one.
    Messages(Option<(PartitionId, u64)>),
    /// The number of the last frame.
    Applied,
}

/// Writes an overlay as a checkpoint does.
#[cfg(test)]
pub(super) fn write(
    base: &Base,
    overlay: &Overlay,
    before: impl Fn(usize, usize) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut checkpoint = Checkpoint::new(Sizes::PRODUCTION.checkpoint);
    while checkpoint.step(base, overlay, &before)? {}
    Ok(())
}

/// Writes an overlay without a sync after each batch, to a tree that is of no use until it is
/// complete. Calls `before` as [`Checkpoint::step`] does.
pub(super) fn write_unsynced(
    base: &Base,
    overlay: &Overlay,
    before: impl Fn(usize, usize) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut checkpoint = Checkpoint::new(Sizes::PRODUCTION.checkpoint);
    checkpoint.syncs = false;
    while checkpoint.step(base, overlay, &before)? {}
    Ok(())
}

impl Checkpoint {
    pub(super) fn new(sizes: CheckpointSizes) -> Self {
        Self { sizes, syncs: true, place: Place::Facts, entries: 0 }
    }

    /// Writes the next batch, or the batches of a large instance. Before each of them, calls `before`
    /// with the number of overlay entries written once the batch is complete, and the size of the
    /// batch. Returns `false` when the tree contains everything.
    pub(super) fn step(
        &mut self,
        base: &Base,
        overlay: &Overlay,
        before: impl Fn(usize, usize) -> Result<(), StoreError>,
    ) -> Result<bool, StoreError> {
        let (sizes, syncs, entries) = (self.sizes, self.syncs, self.entries);
        let (batch, creations) = (Batch::default(), IndexChanges::default());
        let mut writer = Writer {
            base,
            sizes,
            syncs,
            before,
            batch,
            creations,
            entries,
            operations: 0,
            bytes: 0,
        };
        if matches!(self.place, Place::Facts) {
            writer.facts(overlay)?;
            self.place = Place::Instances(None);
        }
        if let Place::Instances(after) = &self.place {
            let after = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            for (id, touched) in overlay.instances.range::<InstanceId, _>((after, Bound::Unbounded))
            {
                writer.instance(id, touched)?;
                writer.entries += 1;
                if writer.write_if_large()? {
                    self.entries = writer.entries;
                    self.place = Place::Instances(Some(id.clone()));
                    return Ok(true);
                }
            }
            self.place = Place::Messages(None);
        }
        if let Place::Messages(after) = &self.place {
            let after = after.map_or(Bound::Unbounded, Bound::Excluded);
            for (position, message) in overlay.messages.range((after, Bound::Unbounded)) {
                writer.message(*position, message.as_deref())?;
                writer.entries += 1;
                if writer.write_if_large()? {
                    self.entries = writer.entries;
                    self.place = Place::Messages(Some(*position));
                    return Ok(true);
                }
            }
            writer.write()?;
            self.entries = writer.entries;
            self.place = Place::Applied;
            return Ok(true);
        }
        writer.insert(keys::APPLIED.to_vec(), &encoded(&overlay.last)?);
        writer.insert(keys::INDEXED.to_vec(), &encoded(&overlay.last)?);
        writer.write()?;
        Ok(false)
    }
}

struct Writer<'a, F> {
    base: &'a Base,
    sizes: CheckpointSizes,
    /// Whether each batch is synced.
    syncs: bool,
    before: F,
    batch: Batch,
    /// The changes of the index by creation that belong to the batch.
    creations: IndexChanges,
    entries: usize,
    operations: usize,
    bytes: usize,
}

impl<F: Fn(usize, usize) -> Result<(), StoreError>> Writer<'_, F> {
    /// The hub's record, and the epochs of partitions.
    fn facts(&mut self, overlay: &Overlay) -> Result<(), StoreError> {
        if let Some(hub) = &overlay.hub {
            self.insert(keys::HUB.to_vec(), hub);
        }
        for (partition, epoch) in &overlay.epochs {
            self.insert(keys::partition(*partition), &encoded(epoch)?);
        }
        Ok(())
    }

    fn message(
        &mut self,
        (partition, position): (PartitionId, u64),
        message: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let prefix = keys::message(partition, position);
        match message {
            Some(message) => self.value(&prefix, message),
            None => self.remove_all(&prefix)?,
        }
        Ok(())
    }

    fn instance(&mut self, id: &InstanceId, touched: &Touched) -> Result<(), StoreError> {
        let old = if touched.is_new() { None } else { self.base.stored(id)? };
        if old.as_ref().is_some_and(|old| old.sequence == touched.sequence) {
            // An earlier checkpoint of the same overlay came this far before it gave up.
            return Ok(());
        }
        let Some(present) = &touched.present else {
            self.index(id, old.as_ref(), None)?;
            self.remove(keys::instances(id.as_str()));
            self.remove_all(&keys::rest_of_instance(id))?;
            return self.remove_all(&keys::histories(id));
        };
        let mut parts = parts(touched, old.as_ref());
        let head = &present.head;
        let mut tail = parts.remove(&head.execution).unwrap_or(Part::at(head.history_len));
        if tail.episodes.len() > self.sizes.tail {
            let end = Part::at(head.history_len);
            parts.insert(head.execution, std::mem::replace(&mut tail, end));
        }
        let chunks: Vec<_> = parts
            .iter()
            .map(|(execution, part)| {
                let prefix = keys::chunk(id, *execution, part.first);
                (prefix, stored::write_chunk(&part.episodes))
            })
            .collect();
        let is_large =
            chunks.iter().map(|(_, chunk)| chunk.len()).sum::<usize>() > self.sizes.bytes;
        if is_large {
            self.write()?;
            self.chunks(&chunks, true)?;
        }
        if !touched.is_new() {
            self.remove_superseded(id, touched, &chunks)?;
        }
        if old.as_ref().is_some_and(|old| old.is_long) {
            self.remove_all(&keys::rest_of_instance(id))?;
        }
        if !is_large {
            self.chunks(&chunks, false)?;
        }
        self.index(id, old.as_ref(), Some(present))?;
        self.stored(
            id,
            &Stored {
                sequence: touched.sequence,
                head: head.clone(),
                record: present.record.clone(),
                first: tail.first,
                tail: tail.episodes.into(),
                is_long: false,
            },
        );
        Ok(())
    }

    fn stored(&mut self, id: &InstanceId, stored: &Stored) {
        let bytes = stored.write(id);
        let (first, rest) = bytes.split_at(bytes.len().min(values::PIECE));
        self.insert(keys::instances(id.as_str()), first);
        self.value(&keys::rest_of_instance(id), rest);
    }

    /// Replaces the index keys derived from one state of an instance by those derived from another.
    fn index(
        &mut self,
        id: &InstanceId,
        before: Option<&Stored>,
        after: Option<&Present>,
    ) -> Result<(), StoreError> {
        if id.is_orchestration() {
            let created_before = before.map(|before| created_at(&before.record)).transpose()?;
            let created_after = after.map(|after| after.created_at);
            if created_before != created_after {
                let creation = |at| (at, id.clone());
                if let Some(before) = created_before.map(creation) {
                    self.creations.remove(self.base, &before)?;
                }
                created_after.map(creation).iter().for_each(|after| self.creations.add(after));
            }
        }
        let before = before.map(|before| &before.head);
        let after = after.map(|after| &after.head);
        let due = |head: &Head| head.next_due.map(|at| keys::due_instance(head.partition, at, id));
        let active = |head: &Head| head.active.then(|| keys::active_instance(head.partition, id));
        self.replace(before.and_then(active), after.and_then(active));
        self.replace(before.and_then(due), after.and_then(due));
        Ok(())
    }

    /// Removes the histories in the tree that are no longer valid, except these chunks.
    fn remove_superseded(
        &mut self,
        id: &InstanceId,
        touched: &Touched,
        chunks: &[Chunk],
    ) -> Result<(), StoreError> {
        let gone = match touched.superseded() {
            None => vec![keys::histories(id)],
            Some(gone) => gone.iter().map(|execution| keys::history(id, *execution)).collect(),
        };
        for prefix in gone {
            for key in self.base.keys(&prefix)? {
                if !chunks.iter().any(|(chunk, _)| key.starts_with(chunk)) {
                    self.remove(key);
                }
            }
        }
        Ok(())
    }

    /// Writes parts of histories over any existing ones; in several batches if they are large.
    fn chunks(&mut self, chunks: &[Chunk], are_large: bool) -> Result<(), StoreError> {
        for (prefix, chunk) in chunks {
            self.remove_all(prefix)?;
            if are_large {
                self.write()?;
            }
            for (index, piece) in (0_u32..).zip(chunk.chunks(values::PIECE)) {
                self.insert([prefix, index.to_be_bytes().as_slice()].concat(), piece);
                if are_large {
                    self.write_if_large()?;
                }
            }
        }
        if are_large { self.write() } else { Ok(()) }
    }

    /// Replaces one key by another; most instances change neither.
    fn replace(&mut self, before: Option<Vec<u8>>, after: Option<Vec<u8>>) {
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.remove(before);
        }
        if let Some(after) = after {
            self.insert(after, &[]);
        }
    }

    /// Writes a value of any size, in pieces.
    fn value(&mut self, prefix: &[u8], value: &[u8]) {
        for (index, piece) in (0_u32..).zip(value.chunks(values::PIECE)) {
            self.insert([prefix, &index.to_be_bytes()].concat(), piece);
        }
    }

    fn remove_all(&mut self, prefix: &[u8]) -> Result<(), StoreError> {
        for key in self.base.keys(prefix)? {
            self.remove(key);
        }
        Ok(())
    }

    fn insert(&mut self, key: Vec<u8>, value: &[u8]) {
        self.operations += 1;
        self.bytes += key.len() + value.len();
        self.batch.insert(key, value);
    }

    fn remove(&mut self, key: Vec<u8>) {
        self.operations += 1;
        self.batch.remove(key);
    }

    /// Returns whether it wrote the batch.
    fn write_if_large(&mut self) -> Result<bool, StoreError> {
        let is_large = self.operations >= self.sizes.operations || self.bytes >= self.sizes.bytes;
        if is_large {
            self.write()?;
        }
        Ok(is_large)
    }

    fn write(&mut self) -> Result<(), StoreError> {
        for (key, block) in self.creations.take(self.base)? {
            match block {
                Some(block) => self.insert(key, &block),
                None => self.remove(key),
            }
        }
        if self.operations == 0 {
            return Ok(());
        }
        (self.before)(self.entries, self.bytes)?;
        (self.operations, self.bytes) = (0, 0);
        let batch = std::mem::take(&mut self.batch);
        if self.syncs { self.base.write_durably(batch) } else { self.base.write(batch) }
    }
}

/// The prefix of a value's pieces, and the value.
type Chunk = (Vec<u8>, Vec<u8>);

/// The parts of an instance's histories to write: the overlay's episodes, appended to the tail in
/// the tree.
fn parts(touched: &Touched, old: Option<&Stored>) -> BTreeMap<ExecutionId, Part> {
    let mut parts = BTreeMap::new();
    if let Some(Stored { head, first, tail, .. }) = old
        && touched.keeps(head.execution)
        && !tail.is_empty()
    {
        parts.insert(head.execution, Part { first: *first, episodes: tail.to_vec() });
    }
    for history in &touched.histories {
        for block in &history.blocks {
            parts.entry(history.execution).or_insert_with(|| Part::at(block.first)).push(block);
        }
    }
    parts
}

/// Some episodes of a history, as they are written.
struct Part {
    /// Index of the first event.
    first: u64,
    episodes: Vec<u8>,
}

impl Part {
    fn at(first: u64) -> Self {
        Self { first, episodes: Vec::new() }
    }

    fn push(&mut self, block: &Block) {
        stored::push(&mut self.episodes, block);
    }
}
