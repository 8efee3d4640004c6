//! The folder on the disk: who owns it, and making its files durable when it is opened.
//!
//! Rules:
//! 1. One owner: the file `lock` is locked for as long as the store is open.
//! 2. Every file and folder is synced once after opening, since sled never syncs what it creates.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process;

use crate::store::StoreError;

/// Where sled's files are.
const TREE: &str = "sled";
/// Where the commit log is.
pub(super) const LOG: &str = "log";
const LOCK: &str = "lock";
/// Where a smaller copy of sled's files is made, and where they go when it takes their place.
const NEW_TREE: &str = "sled.new";
const OLD_TREE: &str = "sled.old";
/// No file of a tree is larger that was just made.
const NEW_TREE_BYTES: u64 = 1024 * 1024;

/// A folder that nobody else has open, for as long as this is held.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Creates what is missing of the folder, and locks it.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let doing = || format!("cannot create the folder `{}`", path.display());
        fs::create_dir_all(path).map_err(|error| StoreError::io(doing(), error))?;
        let folder = Self { path: path.to_owned(), _lock: lock(path)? };
        folder.finish_replacement()?;
        Ok(folder)
    }

    pub(super) fn new_tree(&self) -> PathBuf {
        self.path.join(NEW_TREE)
    }

    /// Puts the new tree, which must be complete and synced, in the place of the old.
    pub(super) fn replace_tree(&self) -> Result<(), StoreError> {
        let doing = || format!("cannot rename folders in `{}`", self.path.display());
        let io = |error| StoreError::io(doing(), error);
        fs::rename(self.tree(), self.path.join(OLD_TREE)).map_err(io)?;
        self.finish_replacement()?;
        self.sync()
    }

    /// Goes on with what a crash may have cut short. The old tree is put aside when the new one is
    /// complete, and not before.
    fn finish_replacement(&self) -> Result<(), StoreError> {
        let (tree, new, old) = (self.tree(), self.new_tree(), self.path.join(OLD_TREE));
        let doing = || format!("cannot rename or remove folders in `{}`", self.path.display());
        let finish = || {
            if !tree.exists() && old.exists() && new.exists() {
                fs::rename(&new, &tree)?;
                File::open(&self.path)?.sync_all()?;
            }
            for left in [&new, &old] {
                if tree.exists() && left.exists() {
                    fs::remove_dir_all(left)?;
                }
            }
            Ok(())
        };
        finish().map_err(|error| StoreError::io(doing(), error))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn tree(&self) -> PathBuf {
        self.path.join(TREE)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// Makes the folder of the log for good, if need be.
    pub(super) fn create_log(&self) -> Result<(), StoreError> {
        let doing = || format!("cannot create a folder in `{}`", self.path.display());
        let create = || {
            fs::create_dir_all(self.log())?;
            File::open(&self.path)?.sync_all()
        };
        create().map_err(|error| StoreError::io(doing(), error))
    }

    /// Whether sled's files are those of a tree in which there never was anything: sled makes a
    /// snapshot when it opens what has something.
    pub(super) fn is_tree_new(&self) -> Result<bool, StoreError> {
        let doing = || format!("cannot read `{}`", self.tree().display());
        let entries = fs::read_dir(self.tree()).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(|error| StoreError::io(doing(), error))?;
        let is_new = |entry: &fs::DirEntry| {
            let is_small = entry.metadata().is_ok_and(|found| found.len() <= NEW_TREE_BYTES);
            is_small && !entry.file_name().to_string_lossy().starts_with("snap.")
        };
        Ok(entries.iter().all(is_new))
    }

    pub(super) fn remove_tree(&self) -> Result<(), StoreError> {
        let doing = || format!("cannot remove `{}`", self.tree().display());
        fs::remove_dir_all(self.tree()).map_err(|error| StoreError::io(doing(), error))
    }

    /// Syncs every file and folder in it.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let doing = || format!("cannot sync `{}`", self.path.display());
        sync_tree(&self.path).map_err(|error| StoreError::io(doing(), error))
    }
}

/// Where the tree is of a folder that is only read: a crash may have come between the two steps in
/// which a new one takes the place of the old.
pub(super) fn present_tree(path: &Path) -> PathBuf {
    let (tree, new) = (path.join(TREE), path.join(NEW_TREE));
    if !tree.exists() && path.join(OLD_TREE).exists() && new.exists() { new } else { tree }
}

/// Keeps a folder that is only read from being opened meanwhile; a folder without a lock is as it is.
pub(super) fn lock_to_read(path: &Path) -> Result<Option<File>, StoreError> {
    let Ok(file) = File::open(path.join(LOCK)) else { return Ok(None) };
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            Err(StoreError::InUse { path: path.to_owned(), owner: owner(&file) })
        }
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(file)),
    }
}

/// The process whose number is in the lock.
fn owner(mut lock: &File) -> Option<u32> {
    let mut owner = String::new();
    lock.read_to_string(&mut owner).ok().and_then(|_| owner.trim().parse().ok())
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let name = path.join(LOCK);
    let doing = || format!("cannot lock `{}`", name.display());
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&name)
        .map_err(|error| StoreError::io(doing(), error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::InUse { path: path.to_owned(), owner: owner(&file) });
        }
        Err(TryLockError::Error(error)) => return Err(StoreError::io(doing(), error)),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", process::id()))
        .map_err(|error| StoreError::io(doing(), error))?;
    Ok(file)
}

/// Syncs every file and folder below `path`, and the entry of `path` in its parent.
fn sync_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(path)?.sync_all()?;
    match path.canonicalize()?.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}
