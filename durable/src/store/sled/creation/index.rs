//! Changes of the index by creation, written together with the instances of a batch.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use super::super::base::Base;
use super::super::{keys, values};
use super::block::{self, Bucket, Entry};
use crate::store::{Creation, StoreError};

/// The changes of a batch. A batch changes each instance once.
#[derive(Debug, Default)]
pub(in super::super) struct IndexChanges {
    added: BTreeMap<Bucket, Vec<Entry>>,
    /// The changed blocks, by their keys.
    blocks: BTreeMap<Vec<u8>, Vec<Entry>>,
}

impl IndexChanges {
    pub(in super::super) fn add(&mut self, creation: &Creation) {
        let (bucket, entry) = block::entry(creation);
        self.added.entry(bucket).or_default().push(entry);
    }

    pub(in super::super) fn remove(
        &mut self,
        base: &Base,
        creation: &Creation,
    ) -> Result<(), StoreError> {
        let (bucket, (_, id)) = block::entry(creation);
        let (from, to) = (keys::creations(bucket), keys::block_of_creations(bucket, &id));
        // Blocks that begin just before the id are the most likely ones.
        for found in base.tree.range(from..=to).rev() {
            let (key, stored) = found?;
            let position = |entries: &[Entry]| entries.binary_search_by(|(_, it)| it.cmp(&id));
            let entries = match self.blocks.entry(key.to_vec()) {
                Slot::Occupied(changed) => changed.into_mut(),
                Slot::Vacant(unchanged) => {
                    let entries = block::read(&stored)?;
                    if position(&entries).is_err() {
                        continue;
                    }
                    unchanged.insert(entries)
                }
            };
            if let Ok(position) = position(entries) {
                entries.remove(position);
                break;
            }
        }
        Ok(())
    }

    /// The changed blocks and their keys; a block is `None` if it is empty now.
    pub(in super::super) fn take(
        &mut self,
        base: &Base,
    ) -> Result<impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)> + use<>, StoreError> {
        for (bucket, mut entries) in std::mem::take(&mut self.added) {
            entries.sort_unstable_by(|(_, a), (_, b)| a.cmp(b));
            self.put(base, bucket, entries)?;
        }
        let blocks = std::mem::take(&mut self.blocks).into_iter();
        Ok(blocks.map(|(key, entries)| {
            let block = (!entries.is_empty()).then(|| block::write(&entries));
            (key, block)
        }))
    }

    /// Adds sorted entries as blocks. If there is a block that begins with the same id, because its
    /// instance was purged and started again, it is merged with the new one.
    fn put(
        &mut self,
        base: &Base,
        bucket: Bucket,
        mut entries: Vec<Entry>,
    ) -> Result<(), StoreError> {
        while let Some((_, first)) = entries.first() {
            let key = keys::block_of_creations(bucket, first);
            let present = match self.blocks.remove(&key) {
                Some(changed) => changed,
                None => {
                    base.get(&key)?.map_or_else(|| Ok(Vec::new()), |bytes| block::read(&bytes))?
                }
            };
            if !present.is_empty() {
                entries.extend(present);
                entries.sort_unstable_by(|(_, a), (_, b)| a.cmp(b));
            }
            let mut bytes = 0;
            let fits = |entry: &&Entry| {
                bytes += block::size(entry);
                bytes < values::PIECE
            };
            let count = entries.iter().take_while(fits).count().max(1);
            let rest = entries.split_off(count);
            self.blocks.insert(key, std::mem::replace(&mut entries, rest));
        }
        Ok(())
    }
}
