//! Compaction: the tree is copied, key by key, into a new one.
//!
//! sled reuses space in its file and never makes the file smaller.

use std::fs;
use std::path::Path;

use super::base::Base;
use super::disk::Disk;
use super::folder::Folder;
use super::tree::Batch;
use super::{SledStore, guarded, open_inner};
use crate::store::StoreError;

/// The number of keys copied together.
const BATCH: usize = 256;

impl SledStore {
    /// Compacts the folder at `path`, which must not be open; returns its size in bytes before and
    /// after.
    ///
    /// sled's file never shrinks: space that is freed, for example by a large purge, is only
    /// reused. Compacting returns it to the disk. It needs as much free space as the result takes.
    /// A crash while it runs does no harm.
    ///
    /// ```
    /// use durable::store::SledStore;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path();
    /// let (before, after) = SledStore::compact(path)?;
    /// println!("{before} bytes before, {after} after");
    /// # Ok::<(), durable::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn compact(path: impl AsRef<Path>) -> Result<(u64, u64), StoreError> {
        let options = Self::options();
        let folder = Folder::open(&Disk::System, path.as_ref())?;
        // The log's content is moved to the tree first.
        let inner = open_inner(&folder, &options)?;
        guarded(folder.path(), || inner.close())?;
        drop(inner);
        let before = size(folder.path());
        guarded(folder.path(), || {
            let old = Base::open(&Disk::System, &folder.tree(), options.cache_bytes)?;
            let new = Base::open(&Disk::System, &folder.new_tree(), options.cache_bytes)?;
            copy(&old, &new)
        })?;
        folder.sync()?;
        folder.replace_tree()?;
        Ok((before, size(folder.path())))
    }
}

fn copy(old: &Base, new: &Base) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    for (number, found) in (1..).zip(old.tree.iter()) {
        let (key, value) = found?;
        batch.insert(key, value);
        if number % BATCH == 0 {
            new.write(std::mem::take(&mut batch))?;
        }
    }
    new.write(batch)?;
    new.sync()
}

/// The total size of the files in a folder.
pub(super) fn size(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
