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
pub(super) const TREE: &str = "sled";
/// Where the commit log is.
pub(super) const LOG: &str = "log";
/// Where a smaller copy of sled's files is made, and where they go when it takes their place.
const NEW_TREE: &str = "sled.new";
const OLD_TREE: &str = "sled.old";

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

fn lock(path: &Path) -> Result<File, StoreError> {
    let name = path.join("lock");
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
            let mut owner = String::new();
            let owner =
                file.read_to_string(&mut owner).ok().and_then(|_| owner.trim().parse().ok());
            return Err(StoreError::InUse { path: path.to_owned(), owner });
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
