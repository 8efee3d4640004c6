//! Giving space back: the tree is copied, key by key, into a new one.
//!
//! sled reuses space in its file and never makes the file smaller.

use std::fs;
use std::path::Path;

use sled::Batch;

use super::base::Base;
use super::error::sled_error;
use super::folder::Folder;
use super::{SledStore, guarded, open_inner};
use crate::store::StoreError;

/// How much is copied at once.
const BATCH: usize = 256;

impl SledStore {
    /// Makes the folder at `path`, which nobody may have open, as small as what is in it; gives its
    /// size in bytes before and after.
    ///
    /// sled's file grows when there is much to keep, and is reused, not made smaller, when there is
    /// less: after a large purge this gives the disk its space back. It needs as much free space as
    /// it leaves. A crash while it runs does no harm.
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
        let folder = Folder::open(path.as_ref())?;
        // What the log has goes into the tree first.
        let inner = open_inner(&folder, &options)?;
        guarded(folder.path(), || inner.close())?;
        drop(inner);
        let before = size(folder.path());
        guarded(folder.path(), || {
            let old = Base::open(&folder.tree(), options.cache_bytes)?;
            let new = Base::open(&folder.new_tree(), options.cache_bytes)?;
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
        let (key, value) = found.map_err(sled_error)?;
        batch.insert(key, value);
        if number % BATCH == 0 {
            new.write(std::mem::take(&mut batch))?;
        }
    }
    new.write(batch)?;
    new.sync()
}

/// How many bytes the files below a folder have.
fn size(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
