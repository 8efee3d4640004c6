//! The tree of production: a sled database.
//!
//! sled 0.34 never syncs a file (its `flush` starts write-back and does not wait for the disk), so
//! `db` is synced through a handle of our own after every flush. It panics on some damaged files,
//! which becomes an error. `docs/design.md` lists all assumptions about sled.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::Duration;

use sled::{Db, IVec, Mode};

use super::super::error::sled_error;
use super::super::system;
use super::batch::Batch;
use super::stall::{self, StallGuard};
use crate::store::StoreError;

#[derive(Debug)]
pub(in super::super) struct SledTree {
    pub(super) tree: sled::Tree,
    db: Db,
    /// Where sled records the first error of its own threads.
    config: sled::Config,
    /// Dropped before the wait for sled's file, because its thread has sled open as well.
    stalls: StallGuard,
    file: SledFile,
    /// The size of the segments of sled's file, in bytes.
    segment: usize,
}

/// Our own handle of sled's file, to sync it.
#[derive(Debug)]
struct SledFile(File);

/// The size of the segments of a new file, in bytes. It is larger than anything that is normally
/// written between two syncs (`docs/design.md`, assumption 9).
const SEGMENT: usize = 4 * 1024 * 1024;
/// How many keys are visited between two flushes if segments have that size: all of an ordinary
/// batch.
const KEYS_AT_ONCE: usize = 256;
/// The same for the smaller segments of a tree of an earlier version that could not be copied.
const KEYS_AT_ONCE_IF_SMALL: usize = 8;

/// How often to check whether sled has released its file.
const LET_GO_TRIES: u32 = 100;
const LET_GO_TRY: Duration = Duration::from_millis(10);

/// Waits until sled has released its file: a thread of sled may hold it, and its lock, slightly
/// longer than the database. Returns `false` if it is still locked after a second, for example by a
/// process forked while the store was open.
fn wait_until_free(file: &File) -> bool {
    (0..LET_GO_TRIES).any(|_try| match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            thread::park_timeout(LET_GO_TRY);
            false
        }
        // If the file cannot be locked, there is nothing to wait for.
        Ok(()) | Err(TryLockError::Error(_)) => true,
    })
}

impl Drop for SledFile {
    /// Ensures that the folder can be opened again as soon as the store is closed.
    fn drop(&mut self) {
        if !wait_until_free(&self.0) {
            tell!(
                warn,
                "the store is closed, but another process still has its files locked, perhaps a \
                 forked child: the folder can be opened again when that process has ended"
            );
        }
    }
}

impl SledTree {
    pub(super) fn open(path: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let name = path.join("db");
        if let Ok(file) = File::open(&name)
            && !wait_until_free(&file)
        {
            let path = path.parent().unwrap_or(path).to_owned();
            return Err(StoreError::InUse { path, owner: None });
        }
        finish_snapshots(path)?;
        let segment = segment_size(path).unwrap_or(SEGMENT);
        let config = sled::Config::new()
            .path(path)
            .segment_size(segment)
            .mode(Mode::HighThroughput)
            .cache_capacity(cache_bytes)
            .flush_every_ms(None);
        let db = open_sled(path, &config)?;
        let file = File::options().read(true).write(true).open(&name);
        let doing = || format!("cannot open `{}`", name.display());
        let file = file.map_err(|error| StoreError::io(doing(), error))?;
        let tree = sled::Tree::clone(&db);
        let stalls = StallGuard::start(tree.clone(), config.clone())?;
        Ok(Self { tree, db, config, stalls, file: SledFile(file), segment })
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.config.global_error().map_err(sled_error)
    }

    pub(super) fn reserve(&self, bytes: u64) -> Result<(), StoreError> {
        system::allocate_after_end(&self.file.0, bytes)
            .map_err(|error| StoreError::io_or_exhausted("cannot make sled's file larger", error))
    }

    pub(super) fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let mut of_sled = sled::Batch::default();
        for (key, value) in batch.0 {
            match value {
                Some(value) => of_sled.insert(key, value),
                None => of_sled.remove(key),
            }
        }
        self.stalls.write(|| self.tree.apply_batch(of_sled)).map_err(sled_error)
    }

    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.flush()?;
        self.sync_file()
    }

    /// Makes a batch durable that changed these keys, and everything that sled writes because of it.
    ///
    /// sled splits and merges the nodes that a batch changed when a call next visits them, even to read
    /// them. Such writes would add up without a sync, so all keys are visited now. Between two syncs,
    /// less than a segment must be written (`docs/design.md`, assumption 9); if that is not certain,
    /// this syncs on the way. How much the batch itself has written is not known: `flush` does not
    /// count what a thread of sled has written before.
    pub(super) fn sync_batch(&self, keys: &[IVec]) -> Result<(), StoreError> {
        let is_small = self.segment < SEGMENT;
        let at_once = if is_small { KEYS_AT_ONCE_IF_SMALL } else { KEYS_AT_ONCE };
        if is_small || keys.len() > at_once {
            self.sync()?;
        }
        let mut unsynced = 0;
        for keys in keys.chunks(at_once) {
            if unsynced > self.segment / 8 {
                self.sync_file()?;
                unsynced = 0;
            }
            for key in keys {
                self.tree.contains_key(key).map_err(sled_error)?;
            }
            unsynced += self.flush()?;
        }
        self.sync_file()
    }

    /// Writes what sled has in memory to its file; returns how many bytes this call wrote.
    fn flush(&self) -> Result<usize, StoreError> {
        self.stalls.flush(|| self.db.flush()).map_err(sled_error)
    }

    fn sync_file(&self) -> Result<(), StoreError> {
        self.file.0.sync_data().map_err(|error| StoreError::io("cannot sync sled's file", error))
    }

    pub(super) fn disk_bytes(&self) -> u64 {
        self.db.size_on_disk().unwrap_or_default()
    }
}

/// Whether the existing file of a tree has smaller segments than a new one.
pub(super) fn has_small_segments(path: &Path) -> bool {
    segment_size(path).is_some_and(|size| size < SEGMENT)
}

/// The size of the segments of an existing file, in bytes, which sled cannot change.
fn segment_size(path: &Path) -> Option<usize> {
    let conf = fs::read(path.join("conf")).ok()?;
    let size =
        conf.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"segment_size: "))?;
    str::from_utf8(size).ok()?.parse().ok()
}

/// Finishes a snapshot that a crash interrupted while sled opened. sled writes a snapshot under a
/// temporary name, syncs it, renames it, and then overwrites the data that it supersedes, without
/// syncing the rename first. A complete snapshot gets its final name; an incomplete one is removed,
/// because sled would report it as damaged.
fn finish_snapshots(path: &Path) -> Result<(), StoreError> {
    let finish = || {
        let Ok(entries) = fs::read_dir(path) else { return Ok(()) };
        for entry in entries {
            let unfinished = entry?.path();
            if unfinished.extension().is_none_or(|ending| ending != "generating") {
                continue;
            }
            if is_whole(&fs::read(&unfinished)?) {
                fs::rename(&unfinished, unfinished.with_extension(""))?;
            } else {
                fs::remove_file(&unfinished)?;
            }
        }
        system::sync_folder(&File::open(path)?)
    };
    let doing = || format!("cannot finish the snapshots in `{}`", path.display());
    finish().map_err(|error| StoreError::io(doing(), error))
}

/// Whether a snapshot of sled is complete: it ends with its length (8 bytes) and checksum (4
/// bytes).
fn is_whole(snapshot: &[u8]) -> bool {
    let Some((rest, crc)) = snapshot.split_last_chunk::<4>() else { return false };
    let Some((content, _length)) = rest.split_last_chunk::<8>() else { return false };
    !content.is_empty() && crc32fast::hash(content).to_le_bytes() == *crc
}

fn open_sled(path: &Path, config: &sled::Config) -> Result<Db, StoreError> {
    stall::open(config).map_err(|failure| match failure {
        stall::Failure::Error(error) => error,
        stall::Failure::Panic(panic) => {
            StoreError::damaged(format!("sled cannot open `{}`: {panic}", path.display()))
        }
    })
}
