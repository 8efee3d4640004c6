//! The tree of a simulation: it promises what `docs/design.md` assumes of sled, and no more.
//!
//! A batch takes effect as a whole, but a concurrent scan may see a part of it.
//!
//! Read next: `../disk/tree_content.rs` (crashes).

use std::fmt;
use std::ops::Bound;
use std::path::Path;

use ::sled::IVec;

use super::super::disk::simulated::{Call, SimDisk, SimFile};
use super::batch::Batch;
use crate::store::StoreError;

/// A tree on a simulated disk.
pub(in crate::store::sled) struct SimTree {
    disk: SimDisk,
    /// Syncing it makes the tree durable.
    file: SimFile,
}

impl SimTree {
    pub(super) fn open(disk: &SimDisk, path: &Path) -> Result<Self, StoreError> {
        let file = disk.open_tree(path);
        let doing = || format!("cannot open `{}`", path.display());
        let file = file.map_err(|error| StoreError::io(doing(), error))?;
        Ok(Self { disk: disk.clone(), file })
    }

    pub(super) fn reserve(&self) -> Result<(), StoreError> {
        let reserved = self.disk.with_tree(&self.file, Call::Write, |_| ());
        reserved.map_err(|error| StoreError::io_or_exhausted("cannot make the tree larger", error))
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<IVec> {
        self.disk.read_tree(self.file.number(), |tree| tree.seen.get(key).cloned())
    }

    /// sled writes to space that was reserved, so this needs none.
    pub(super) fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let applied = self.disk.with_tree(&self.file, Call::Look, |tree| tree.apply(batch.0));
        applied.map_err(|error| StoreError::io("cannot write to the tree", error))
    }

    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.file.sync().map_err(|error| StoreError::io("cannot sync the tree", error))
    }

    pub(super) fn disk_bytes(&self) -> u64 {
        self.disk.read_tree(self.file.number(), |tree| {
            tree.seen.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum()
        })
    }

    pub(super) fn scan(&self, from: Bound<Vec<u8>>, to: Bound<Vec<u8>>) -> Scan {
        Scan { disk: self.disk.clone(), file: self.file.number(), from, to }
    }
}

/// A scan of a part of the tree. It reads the tree again for each key.
pub(in crate::store::sled) struct Scan {
    disk: SimDisk,
    file: u64,
    from: Bound<Vec<u8>>,
    to: Bound<Vec<u8>>,
}

type Entry = Option<(IVec, IVec)>;

impl Scan {
    fn find(
        &self,
        find: impl for<'m> FnOnce(
            std::collections::btree_map::Range<'m, Vec<u8>, IVec>,
        ) -> Option<(&'m Vec<u8>, &'m IVec)>,
    ) -> Entry {
        if is_empty(&self.from, &self.to) {
            return None;
        }
        let range = (self.from.clone(), self.to.clone());
        self.disk.maybe_step();
        self.disk.read_tree(self.file, |tree| {
            let found = find(tree.seen.range(range));
            found.map(|(key, value)| (IVec::from(key.as_slice()), value.clone()))
        })
    }

    pub(super) fn next(&mut self) -> Entry {
        let found = self.find(|mut range| range.next())?;
        self.from = Bound::Excluded(found.0.to_vec());
        Some(found)
    }

    pub(super) fn next_back(&mut self) -> Entry {
        let found = self.find(|mut range| range.next_back())?;
        self.to = Bound::Excluded(found.0.to_vec());
        Some(found)
    }
}

/// Whether nothing can be between two bounds, for which a map would panic.
fn is_empty(from: &Bound<Vec<u8>>, to: &Bound<Vec<u8>>) -> bool {
    use Bound::{Excluded, Included, Unbounded};
    match (from, to) {
        (Unbounded, _) | (_, Unbounded) => false,
        (Included(from), Included(to)) => from > to,
        (Included(from) | Excluded(from), Excluded(to) | Included(to)) => from >= to,
    }
}

impl fmt::Debug for SimTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimTree").finish_non_exhaustive()
    }
}
