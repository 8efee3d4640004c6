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
        Ok(Self { path: path.to_owned(), _lock: lock(path)? })
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
