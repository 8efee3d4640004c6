//! Copies of the tree, key by key, that replace it: to compact it, because sled reuses space in its
//! file and usually does not make the file smaller, and to give it larger segments.

use std::fs;
use std::path::Path;

use super::base::Base;
use super::disk::Disk;
use super::folder::Folder;
use super::system::is_passing;
use super::tree::{self, Batch};
use super::{SledOptions, SledStore, check_hub, guarded, keys, log, open_inner, room};
use crate::store::{StoreError, chain};

/// The number of keys copied together.
const BATCH: usize = 256;

impl SledStore {
    /// Compacts the folder at `path`, which must not be open, and returns its size in bytes before
    /// and after.
    ///
    /// sled's file usually does not shrink: space that is freed, for example by a large purge, is
    /// reused. Compacting returns the freed space to the disk, and needs as much free space as the
    /// compacted copy takes. A crash during the compaction does no harm.
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
    /// See [`open`](Self::open).
    pub fn compact(path: impl AsRef<Path>) -> Result<(u64, u64), StoreError> {
        let options = Self::options();
        let folder = Folder::open(&Disk::System, path.as_ref())?;
        // The log's content is moved to the tree first.
        let inner = open_inner(&folder, &options)?;
        guarded(folder.path(), || inner.close())?;
        drop(inner);
        let before = size(folder.path());
        write_new_tree(&folder, &options)?;
        folder.replace_tree()?;
        Ok((before, size(folder.path())))
    }
}

/// Gives a tree of an earlier build of version 0.1 the larger segments of new trees, because a power
/// failure may damage a tree with small ones (`docs/design.md`, assumption 9). Without enough space
/// for the copy, the tree stays as it is until the folder is opened again.
pub(super) fn enlarge_segments(folder: &Folder, options: &SledOptions) -> Result<(), StoreError> {
    // Without a log, the creation of the tree was interrupted, and it may be unreadable.
    if !tree::has_small_segments(&options.disk, &folder.tree()) || !folder.has_log()? {
        return Ok(());
    }
    let bytes = size(&folder.tree());
    let path = folder.path().display();
    tell!(info, %path, bytes, "sled's file is copied once into a safer form, with larger segments");
    match check_room(folder, bytes).and_then(|()| write_new_tree(folder, options)) {
        Err(error) if is_lack(&error) => {
            let error = chain(&error);
            tell!(warn, %path, error, "sled's file stays as it is until the folder is opened again");
            folder.finish_replacement()
        }
        written => written.and_then(|()| folder.replace_tree()),
    }
}

/// Checks that the disk has space for a second tree, and to open the folder after that.
fn check_room(folder: &Folder, tree: u64) -> Result<(), StoreError> {
    let log = log::size_of(&Disk::System, &folder.log());
    let log = log.map_err(|error| StoreError::io("cannot read the log", error))?;
    room::check(&Disk::System, folder.path(), 2 * room::FREE_TO_OPEN + tree + log)
}

/// Whether the error reports a resource that was lacking but may be available later.
fn is_lack(error: &StoreError) -> bool {
    match error {
        StoreError::Io { source, .. } => is_passing(source),
        error => error.is_transient(),
    }
}

/// Writes a durable copy of the tree, for [`Folder::replace_tree`].
fn write_new_tree(folder: &Folder, options: &SledOptions) -> Result<(), StoreError> {
    guarded(folder.path(), || {
        let old = Base::open(&Disk::System, &folder.tree(), options.cache_bytes)?;
        check_hub(old.get(keys::HUB)?.as_deref())?;
        let new = Base::open(&Disk::System, &folder.new_tree(), options.cache_bytes)?;
        copy(&old, &new)
    })?;
    folder.sync()
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
