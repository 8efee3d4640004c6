//! From an overlay into the tree.
//!
//! Rules:
//! 1. What is written of an instance is one batch, which is atomic: its value in the tree always says
//!    to which frame of the log it belongs. So a checkpoint that a crash cuts short does no harm: the
//!    log is applied again, and what the tree has already is left out.
//! 2. Batches are small, since sled keeps everybody waiting while it applies one.
//! 3. That the tree has everything up to a frame is written when everything is durable.
//!
//! Read next: `stored.rs` (the value of an instance), `keys.rs`.

use std::collections::BTreeMap;

use sled::Batch;

use super::base::Base;
use super::body::Head;
use super::overlay::{Block, Overlay, Present, Touched};
use super::stored::{self, Stored};
use super::{encoded, keys, values};
use crate::protocol::{ExecutionId, InstanceId};
use crate::store::StoreError;

/// A batch is written when it has so many operations, or so many bytes.
const OPERATIONS: usize = 128;
const BYTES: usize = 256 * 1024;

/// Writes an overlay to the tree. `room` is asked before each batch.
pub(super) fn write(
    base: &Base,
    overlay: &Overlay,
    room: impl Fn() -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut writer = Writer { base, room, batch: Batch::default(), operations: 0, bytes: 0 };
    if let Some(hub) = &overlay.hub {
        writer.insert(keys::HUB.to_vec(), hub);
    }
    for (partition, epoch) in &overlay.epochs {
        writer.insert(keys::partition(*partition), &encoded(epoch)?);
    }
    for (id, touched) in &overlay.instances {
        writer.instance(id, touched)?;
        writer.write_if_large()?;
    }
    for ((partition, position), message) in &overlay.messages {
        let prefix = keys::message(*partition, *position);
        match message {
            Some(message) => writer.value(&prefix, message),
            None => writer.remove_all(&prefix)?,
        }
        writer.write_if_large()?;
    }
    writer.write()?;
    base.sync()?;
    writer.insert(keys::APPLIED.to_vec(), &encoded(&overlay.last)?);
    writer.write()?;
    base.sync()
}

struct Writer<'a, R> {
    base: &'a Base,
    room: R,
    batch: Batch,
    operations: usize,
    bytes: usize,
}

impl<R: Fn() -> Result<(), StoreError>> Writer<'_, R> {
    fn instance(&mut self, id: &InstanceId, touched: &Touched) -> Result<(), StoreError> {
        let old = if touched.is_new() { None } else { self.base.stored(id)? };
        let due = |head: &Head| {
            head.next_due.map(|at| keys::due_instance(head.partition, at, id))
        };
        let active = |head: &Head| head.active.then(|| keys::active_instance(head.partition, id));
        let before = old.as_ref().map(|old| &old.head);
        let after = touched.present.as_ref().map(|present| &present.head);
        self.replace(before.and_then(active), after.and_then(active));
        self.replace(before.and_then(due), after.and_then(due));
        if let Some(old) = &old
            && old.is_long()
        {
            self.remove_all(&keys::rest_of_instance(id))?;
        }
        match &touched.present {
            Some(present) => self.present(id, touched, present, old),
            None if old.is_some() => {
                self.remove(keys::instances(id.as_str()));
                self.remove_all(&keys::histories(id))
            }
            None => Ok(()),
        }
    }

    fn present(
        &mut self,
        id: &InstanceId,
        touched: &Touched,
        present: &Present,
        old: Option<Stored>,
    ) -> Result<(), StoreError> {
        let current = present.head.execution;
        if old.is_some() {
            self.remove_gone(id, touched)?;
        }
        let mut parts: BTreeMap<ExecutionId, Part> = BTreeMap::new();
        if let Some(Stored { head, first, tail, .. }) = old
            && touched.keeps(head.execution)
        {
            let first = if tail.is_empty() { head.history_len } else { first };
            parts.insert(head.execution, Part { first, tail: tail.to_vec() });
        }
        for history in &touched.histories {
            for block in &history.blocks {
                parts.entry(history.execution).or_insert_with(|| Part::at(block.first)).push(block);
            }
        }
        let mut tail = parts.remove(&current).unwrap_or_else(|| Part::at(present.head.history_len));
        for (execution, part) in parts {
            self.chunk(id, execution, &part);
        }
        if tail.tail.len() > stored::TAIL_MAX {
            self.chunk(id, current, &tail);
            tail = Part::at(present.head.history_len);
        }
        let stored = Stored {
            sequence: touched.sequence,
            head: present.head.clone(),
            record: present.record.clone(),
            first: tail.first,
            tail: tail.tail.into(),
        };
        let bytes = stored.write();
        let (first, rest) = bytes.split_at(bytes.len().min(values::PIECE));
        self.insert(keys::instances(id.as_str()), first);
        self.value(&keys::rest_of_instance(id), rest);
        Ok(())
    }

    /// Removes the histories in the tree that no longer count.
    fn remove_gone(&mut self, id: &InstanceId, touched: &Touched) -> Result<(), StoreError> {
        match touched.gone() {
            None => self.remove_all(&keys::histories(id)),
            Some(gone) => gone
                .iter()
                .try_for_each(|execution| self.remove_all(&keys::history(id, *execution))),
        }
    }

    fn chunk(&mut self, id: &InstanceId, execution: ExecutionId, part: &Part) {
        self.value(&keys::chunk(id, execution, part.first), &part.tail);
    }

    /// Goes from one key to another; most instances change neither.
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

    /// A value of any size, in pieces.
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

    fn write_if_large(&mut self) -> Result<(), StoreError> {
        if self.operations < OPERATIONS && self.bytes < BYTES { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> Result<(), StoreError> {
        (self.room)()?;
        (self.operations, self.bytes) = (0, 0);
        self.base.write(std::mem::take(&mut self.batch))
    }
}

/// A part of a history.
struct Part {
    first: u64,
    tail: Vec<u8>,
}

impl Part {
    fn at(first: u64) -> Self {
        Self { first, tail: Vec::new() }
    }

    fn push(&mut self, block: &Block) {
        stored::push(&mut self.tail, block);
    }
}
