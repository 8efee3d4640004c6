//! The folder on the disk: who owns it, opening sled in it, and making writes durable.
//!
//! Rules:
//! 1. One owner: the file `lock` is locked for as long as the store is open.
//! 2. sled 0.34 never syncs a file (its `flush` starts write-back and does not wait for the disk),
//!    so every file and folder is synced once after opening, and `sled/db` after every flush.
//! 3. sled panics on some damaged files; that becomes an error.
//! 4. sled damages its file when it is opened on a full disk (a write that fails on one does not),
//!    so it is only opened, and written to, while there is room.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::{process, thread};

use sled::{Db, Mode, Tree};

use crate::panics;
use crate::store::StoreError;

/// sled keeps about this much of the tree in memory.
const CACHE_BYTES: u64 = 256 * 1024 * 1024;

/// What must be free on the disk to open sled, and to write to it. Opening needs more, so that who
/// has run out of room writing does not run out of it opening.
const FREE_TO_OPEN: u64 = 16 * 1024 * 1024;
const FREE_TO_WRITE: u64 = 4 * 1024 * 1024;

/// The open folder.
#[derive(Debug)]
pub(super) struct Disk {
    path: PathBuf,
    db: Db,
    file: SledFile,
    /// Dropped last, since what is unlocked may be opened by another.
    _lock: File,
}

/// Our own handle of sled's file, to sync it.
#[derive(Debug)]
struct SledFile(File);

impl Drop for SledFile {
    /// Waits until sled has let go of its file: a thread of sled's may hold it, and its lock, for a
    /// moment longer than the database, and who opens the folder in that moment would be refused.
    fn drop(&mut self) {
        // If the file cannot be locked, there is nothing to wait for.
        let _ = self.0.lock();
    }
}

impl Disk {
    pub(super) fn open(path: &Path) -> Result<(Self, Tree), StoreError> {
        let doing = |what: &str| format!("cannot {what} `{}`", path.display());
        fs::create_dir_all(path).map_err(|e| StoreError::io(doing("create the folder"), e))?;
        let lock = lock(path)?;
        check_room(path, FREE_TO_OPEN)?;
        let db = open_sled(path.join("sled"))?;
        sync_tree(path).map_err(|e| StoreError::io(doing("sync"), e))?;
        let file = File::options()
            .read(true)
            .write(true)
            .open(path.join("sled/db"))
            .map_err(|e| StoreError::io(doing("open sled's file in"), e))?;
        let tree = Tree::clone(&db);
        let file = SledFile(file);
        Ok((Self { path: path.to_owned(), db, file, _lock: lock }, tree))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is room to write.
    pub(super) fn check_room(&self) -> Result<(), StoreError> {
        check_room(&self.path, FREE_TO_WRITE)
    }

    /// Makes everything durable that was written to sled.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.db.flush().map_err(sled_error)?;
        let doing = || format!("cannot sync `{}`", self.path.display());
        self.file.0.sync_data().map_err(|error| StoreError::io(doing(), error))
    }
}

fn check_room(path: &Path, needed: u64) -> Result<(), StoreError> {
    let doing = || format!("cannot tell how full the disk of `{}` is", path.display());
    let available = fs4::available_space(path).map_err(|error| StoreError::io(doing(), error))?;
    if available >= needed {
        return Ok(());
    }
    Err(StoreError::DiskFull { path: path.to_owned(), available, needed })
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

/// Opens sled on a thread of its own, where a panic does no harm.
fn open_sled(path: PathBuf) -> Result<Db, StoreError> {
    let shown = path.display().to_string();
    let open = move || {
        panics::catch(|| {
            sled::Config::new()
                .path(path)
                .mode(Mode::HighThroughput)
                .cache_capacity(CACHE_BYTES)
                .flush_every_ms(None)
                .open()
        })
    };
    let opened = thread::Builder::new()
        .name("durable-open".to_owned())
        .spawn(open)
        .map_err(|error| StoreError::io("cannot start a thread", error))?
        .join();
    match opened {
        Ok(Ok(opened)) => opened.map_err(sled_error),
        Ok(Err(panic)) => Err(StoreError::damaged(format!("sled cannot open `{shown}`: {panic}"))),
        Err(_panic) => Err(StoreError::damaged(format!("sled cannot open `{shown}`"))),
    }
}

/// Syncs every file and folder below `path`, and the entry of `path` in its parent.
fn sync_tree(path: &Path) -> std::io::Result<()> {
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

pub(super) fn sled_error(error: sled::Error) -> StoreError {
    match error {
        sled::Error::Io(source) => StoreError::io("sled cannot read or write", source),
        sled::Error::Corruption { at, .. } => StoreError::damaged(match at {
            Some(at) => format!("sled found corruption at {at:?}"),
            None => "sled found corruption".to_owned(),
        }),
        other => StoreError::damaged(format!("sled: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_room_is_an_error_that_says_how_much_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_room(folder.path(), 0).is_ok());
        let error = check_room(folder.path(), u64::MAX).unwrap_err();
        assert!(matches!(error, StoreError::DiskFull { needed: u64::MAX, .. }), "{error}");
        assert!(error.to_string().contains("free some space"), "{error}");
    }
}
