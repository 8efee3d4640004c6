//! How much room there is on the disk, and what is done when there is little.
//!
//! New work is refused while less than the reserve is free. What runs may use the reserve, down to
//! what sled needs: sled damages its file when it is opened on a full disk. Then it waits until
//! there is room again. Nobody tells when there is, so that is asked now and then.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::store::StoreError;

/// What must be free on the disk to open sled, and to write to it. Opening needs more, so that who
/// has run out of room writing does not run out of it opening.
pub(super) const FREE_TO_OPEN: u64 = 16 * 1024 * 1024;
const FREE_TO_WRITE: u64 = 8 * 1024 * 1024;

/// How often who waits for room asks.
const ASK_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Room {
    path: PathBuf,
    /// What is kept free for work that has begun.
    reserve: u64,
    given_up: Mutex<bool>,
    changed: Condvar,
}

impl Room {
    pub(super) fn new(path: &Path, reserve: u64) -> Self {
        let (given_up, changed) = (Mutex::new(false), Condvar::new());
        Self { path: path.to_owned(), reserve, given_up, changed }
    }

    /// The folder on the disk.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is room for new work.
    pub(super) fn for_new_work(&self) -> Result<(), StoreError> {
        check(&self.path, self.reserve)
    }

    /// Whether so much more can be written.
    pub(super) fn check_for(&self, bytes: usize) -> Result<(), StoreError> {
        check(&self.path, needed_for(bytes))
    }

    /// Waits until so much more can be written.
    pub(super) fn wait_for(&self, bytes: usize) -> Result<(), StoreError> {
        self.wait_until(needed_for(bytes))
    }

    /// Waits until so much is free.
    pub(super) fn wait_until(&self, needed: u64) -> Result<(), StoreError> {
        let mut is_waiting = false;
        let mut given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match check(&self.path, needed) {
                Err(full @ StoreError::DiskFull { .. }) if !*given_up => {
                    if !is_waiting {
                        tracing::warn!(%full, "the disk is full: work waits until there is room");
                        is_waiting = true;
                    }
                    let waited = self.changed.wait_timeout(given_up, ASK_EVERY);
                    given_up = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                found => {
                    if is_waiting && found.is_ok() {
                        tracing::info!("there is room on the disk again: work goes on");
                    }
                    return found;
                }
            }
        }
    }

    /// Whoever waits for room, now or later, gets an error.
    pub(super) fn give_up(&self) {
        *self.given_up.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}

/// What must be free before so much is written.
fn needed_for(bytes: usize) -> u64 {
    FREE_TO_WRITE.saturating_add(bytes as u64)
}

/// Whether so much is free on the disk of a folder.
pub(super) fn check(path: &Path, needed: u64) -> Result<(), StoreError> {
    let doing = || format!("cannot tell how full the disk of `{}` is", path.display());
    let available = fs4::available_space(path).map_err(|error| StoreError::io(doing(), error))?;
    if available >= needed {
        return Ok(());
    }
    Err(StoreError::DiskFull { path: path.to_owned(), available, needed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_room_is_an_error_that_says_how_much_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check(folder.path(), 0).is_ok());
        let error = check(folder.path(), u64::MAX).unwrap_err();
        assert!(matches!(error, StoreError::DiskFull { needed: u64::MAX, .. }), "{error}");
        assert!(error.to_string().contains("free some space"), "{error}");
    }

    #[test]
    fn who_waits_for_room_can_be_told_to_give_up() {
        let folder = tempfile::tempdir().unwrap();
        let room = Room::new(folder.path(), u64::MAX);
        assert!(room.for_new_work().is_err());
        assert!(room.wait_for(0).is_ok());
        room.give_up();
        let error = room.wait_for(usize::MAX).unwrap_err();
        assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    }
}
