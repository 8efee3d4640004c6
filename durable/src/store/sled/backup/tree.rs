//! Copying the tree of an open store into a new one, in small steps.
//!
//! A step holds the lock that a checkpoint needs for each batch, so checkpoints wait for a step, and
//! commits never do: they do not write to the tree. The copy is written between steps.

use sled::IVec;

use super::super::base::Base;
use super::super::tree::{Batch, Tree};
use super::super::{keys, stored, values};
use crate::protocol::InstanceId;
use crate::store::StoreError;

/// The sizes of steps.
#[derive(Clone, Copy, Debug)]
pub(in crate::store::sled) struct Steps {
    /// A step ends when it has read this many bytes or keys.
    pub(in crate::store::sled) bytes: usize,
    pub(in crate::store::sled) keys: usize,
    /// The copy is synced after this many bytes, so that its dirty pages do not delay a sync of the
    /// log.
    pub(in crate::store::sled) synced: usize,
}

impl Default for Steps {
    fn default() -> Self {
        Self { bytes: 128 * 1024, keys: 512, synced: 4 * 1024 * 1024 }
    }
}

/// How often the copy of an instance with a long history starts over before it is made in one step.
const TRIES: u32 = 3;

/// Copies everything but the number of the last frame.
pub(super) fn copy(
    from: &Base,
    to: &Base,
    steps: Steps,
    may_go_on: &dyn Fn() -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let batch = Batch::default();
    let mut copier =
        Copier { from, to, steps, may_go_on, batch, keys: 0, bytes: 0, written: 0, found: None };
    copier.facts()?;
    copier.instances()?;
    copier.messages()
}

struct Copier<'a> {
    from: &'a Base,
    to: &'a Base,
    steps: Steps,
    may_go_on: &'a dyn Fn() -> Result<(), StoreError>,
    /// What the current step has read.
    batch: Batch,
    keys: usize,
    bytes: usize,
    /// The bytes that were written since the last sync.
    written: usize,
    /// The instance that was copied last.
    found: Option<InstanceId>,
}

/// How a step ended.
enum Step {
    /// There may be more.
    More,
    /// The history of this instance does not fit into a step.
    Long(InstanceId),
    End,
}

impl Copier<'_> {
    /// The hub's record, and the epochs of the partitions.
    fn facts(&mut self) -> Result<(), StoreError> {
        let _one_state = self.from.between_batches();
        if let Some(hub) = self.from.get(keys::HUB)? {
            self.put(keys::HUB.into(), hub);
        }
        for found in self.from.tree.scan_prefix(keys::EPOCHS) {
            let (key, epoch) = found?;
            self.put(key, epoch);
        }
        Ok(())
    }

    fn instances(&mut self) -> Result<(), StoreError> {
        loop {
            let step = self.next_instances()?;
            self.write()?;
            match step {
                Step::More => {}
                Step::Long(id) => {
                    self.long_instance(&id)?;
                    self.found = Some(id);
                }
                Step::End => return Ok(()),
            }
        }
    }

    /// Reads the next instances in one step.
    fn next_instances(&mut self) -> Result<Step, StoreError> {
        let _one_state = self.from.between_batches();
        let from = match &self.found {
            Some(id) => keys::behind_instance(id),
            None => keys::instances(""),
        };
        for found in self.from.tree.range(from..) {
            let (key, value) = found?;
            if !key.starts_with(&keys::instances("")) {
                return Ok(Step::End);
            }
            if key.contains(&keys::END) {
                // A further piece of the value before it.
                self.put(key, value);
                continue;
            }
            if self.is_full() {
                return Ok(Step::More);
            }
            let id = values::id_of_instance(&key)?;
            let chunks = page(&self.from.tree, &keys::histories(&id), None, self.steps.bytes)?;
            if chunks.is_cut {
                let is_first = self.keys == 0;
                return Ok(if is_first { Step::Long(id) } else { Step::More });
            }
            chunks.pieces.into_iter().for_each(|(key, piece)| self.put(key, piece));
            self.first_piece(&id, key, value)?;
            self.found = Some(id);
        }
        Ok(Step::End)
    }

    /// The first piece of an instance's value, with the index keys.
    fn first_piece(&mut self, id: &InstanceId, key: IVec, value: IVec) -> Result<(), StoreError> {
        let (_sequence, head) = stored::head(id, &value)?;
        if head.active {
            self.put(keys::active_instance(head.partition, id).into(), IVec::default());
        }
        if let Some(due) = head.next_due {
            self.put(keys::due_instance(head.partition, due, id).into(), IVec::default());
        }
        self.put(key, value);
        Ok(())
    }

    /// Copies the history of an instance in several steps, and then its value, if no checkpoint has
    /// replaced the value in the meantime.
    fn long_instance(&mut self, id: &InstanceId) -> Result<(), StoreError> {
        for _try in 0..TRIES {
            // A purged instance is absent from the last step on.
            let Some((before, _)) = self.from.head(id)? else { return self.forget(id) };
            let mut last = None;
            loop {
                let chunks = {
                    let _one_state = self.from.between_batches();
                    page(&self.from.tree, &keys::histories(id), last.as_deref(), self.steps.bytes)?
                };
                last = chunks.pieces.last().map(|(key, _)| key.clone());
                chunks.pieces.into_iter().for_each(|(key, piece)| self.put(key, piece));
                self.write()?;
                if !chunks.is_cut {
                    break;
                }
            }
            if self.value(id, Some(before))? {
                return self.write();
            }
            self.forget(id)?;
        }
        self.at_once(id)
    }

    /// Copies an instance in one step, however long its history is.
    fn at_once(&mut self, id: &InstanceId) -> Result<(), StoreError> {
        let from = self.from;
        let one_state = from.between_batches();
        if self.value_between_batches(id, None)? {
            for found in from.tree.scan_prefix(keys::histories(id)) {
                let (key, piece) = found?;
                self.put(key, piece);
                if self.is_full() {
                    self.write_batch()?;
                }
            }
        }
        drop(one_state);
        self.write()
    }

    /// Reads an instance's value. Returns `false` if its last frame is not this one.
    fn value(&mut self, id: &InstanceId, wanted: Option<u64>) -> Result<bool, StoreError> {
        let from = self.from;
        let _one_state = from.between_batches();
        self.value_between_batches(id, wanted)
    }

    fn value_between_batches(
        &mut self,
        id: &InstanceId,
        wanted: Option<u64>,
    ) -> Result<bool, StoreError> {
        let key = keys::instances(id.as_str());
        let Some(first) = self.from.get(&key)? else { return Ok(false) };
        let (found, _) = stored::head(id, &first)?;
        if wanted.is_some_and(|wanted| wanted != found) {
            return Ok(false);
        }
        self.first_piece(id, key.into(), first)?;
        for piece in self.from.tree.scan_prefix(keys::rest_of_instance(id)) {
            let (key, piece) = piece?;
            self.put(key, piece);
        }
        Ok(true)
    }

    /// Removes the parts of a history from the copy.
    fn forget(&mut self, id: &InstanceId) -> Result<(), StoreError> {
        for key in self.to.keys(&keys::histories(id))? {
            self.keys += 1;
            self.batch.remove(key);
        }
        self.write()
    }

    /// The messages that are in the tree now. Later ones are in the log, so this comes to an end even
    /// if messages are sent as fast as they are copied.
    fn messages(&mut self) -> Result<(), StoreError> {
        for partition in self.from.partitions_with_messages()? {
            let end = keys::message(partition, self.from.messages_end(partition)?);
            let mut next = keys::messages(partition);
            while let Some(key) = self.next_messages(&next, &end)? {
                self.write()?;
                next = keys::successor(key.to_vec());
            }
            self.write()?;
        }
        Ok(())
    }

    /// Reads the next messages in one step, each with all of its pieces; returns the last key if there
    /// may be more.
    fn next_messages(&mut self, next: &[u8], end: &[u8]) -> Result<Option<IVec>, StoreError> {
        let from = self.from;
        let _one_state = from.between_batches();
        let mut last = None;
        for found in from.tree.range(next..end) {
            let (key, piece) = found?;
            if self.is_full() && keys::is_first_piece(&key) {
                return Ok(last);
            }
            last = Some(key.clone());
            self.put(key, piece);
        }
        Ok(None)
    }

    fn put(&mut self, key: IVec, value: IVec) {
        self.keys += 1;
        self.bytes += key.len() + value.len();
        self.batch.insert(key, value);
    }

    fn is_full(&self) -> bool {
        self.keys >= self.steps.keys || self.bytes >= self.steps.bytes
    }

    /// Writes what the step has read. No lock of the open store may be held.
    fn write(&mut self) -> Result<(), StoreError> {
        (self.may_go_on)()?;
        self.write_batch()?;
        if self.written >= self.steps.synced {
            self.written = 0;
            self.to.sync()?;
        }
        Ok(())
    }

    fn write_batch(&mut self) -> Result<(), StoreError> {
        self.written += self.bytes;
        (self.keys, self.bytes) = (0, 0);
        self.to.write(std::mem::take(&mut self.batch))
    }
}

/// Keys with a prefix, and their values.
struct Page {
    pieces: Vec<(IVec, IVec)>,
    /// Whether there are more.
    is_cut: bool,
}

/// Reads the keys with a prefix, after `last`, up to this many bytes.
fn page(tree: &Tree, prefix: &[u8], last: Option<&[u8]>, bytes: usize) -> Result<Page, StoreError> {
    let start = last.map_or(prefix.to_vec(), |key| keys::successor(key.to_vec()));
    let (mut pieces, mut read) = (Vec::new(), 0);
    for found in tree.range(start..) {
        let (key, piece) = found?;
        if !key.starts_with(prefix) {
            break;
        }
        if read >= bytes {
            return Ok(Page { pieces, is_cut: true });
        }
        read += key.len() + piece.len();
        pieces.push((key, piece));
    }
    Ok(Page { pieces, is_cut: false })
}
