//! Free disk space, and the behavior when there is little.
//!
//! New work is rejected while less than the reserve is free. Running work may use the reserve, down
//! to what sled needs: sled damages its file when it is opened on a full disk. Below that, commits
//! block until space is freed. The system sends no signal for that, so it is asked ten times a
//! second. Other resources that it lacks temporarily, such as file descriptors, are handled the
//! same way.

use std::path::{Path, PathBuf};
use std::sync::MutexGuard;
use std::time::Duration;

use super::disk::Disk;
use super::monitor::Monitor;
use crate::store::{StoreError, chain};

/// The space that must be free to open sled, and to write to it. Opening needs more, so that a
/// store that ran out of space while writing can still be opened.
pub(super) const FREE_TO_OPEN: u64 = 16 * 1024 * 1024;
pub(super) const FREE_TO_WRITE: u64 = 8 * 1024 * 1024;

/// The interval between checks for free space.
const ASK_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Room {
    disk: Disk,
    path: PathBuf,
    /// The space reserved for running work.
    reserve: u64,
    state: Monitor<State>,
}

#[derive(Debug, Default)]
struct State {
    given_up: bool,
    /// The missing resource, while an operation waits for it.
    lacking: Option<StoreError>,
}

impl Room {
    pub(super) fn new(disk: &Disk, path: &Path, reserve: u64) -> Self {
        let state = Monitor::new(disk, "room on the disk", State::default());
        Self { disk: disk.clone(), path: path.to_owned(), reserve, state }
    }

    /// The folder on disk.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that the disk has space for new work, and that no commit waits for another resource.
    pub(super) fn for_new_work(&self) -> Result<(), StoreError> {
        let lacking = self.state().lacking.clone();
        lacking.map_or(Ok(()), Err)?;
        check(&self.disk, &self.path, self.reserve)
    }

    /// Checks that this many bytes can be written.
    pub(super) fn check_for(&self, bytes: usize) -> Result<(), StoreError> {
        check(&self.disk, &self.path, needed_for(bytes))
    }

    /// Runs an operation that changes nothing if it finds too little space or another resource
    /// missing. Retries until it succeeds, or the store [gives up](Self::give_up).
    pub(super) fn until_there_is_room<T>(
        &self,
        mut run: impl FnMut() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut has_waited = false;
        loop {
            match run() {
                Err(lacking) if lacking.is_transient() => {
                    mark!("store: an operation waits for room or a descriptor");
                    self.wait(lacking)?;
                    has_waited = true;
                }
                result => {
                    if has_waited {
                        self.end_wait(result.is_ok());
                    }
                    return result;
                }
            }
        }
    }

    fn wait(&self, lacking: StoreError) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.given_up {
            state.lacking = None;
            return Err(lacking);
        }
        if state.lacking.is_none() {
            let error = chain(&lacking);
            tell!(warn, error, "commits wait for a resource of the system");
        }
        state.lacking = Some(lacking);
        drop(self.state.wait_timeout_while(state, ASK_EVERY, |state| !state.given_up));
        Ok(())
    }

    fn end_wait(&self, is_well: bool) {
        let was_lacking = self.state().lacking.take().is_some();
        if was_lacking && is_well {
            tell!(info, "the resource is available again: commits continue");
        }
    }

    /// The space that is reserved for running work.
    pub(super) fn reserve(&self) -> u64 {
        self.reserve
    }

    /// Whether the hub that used the store has stopped.
    pub(super) fn has_given_up(&self) -> bool {
        self.state().given_up
    }

    /// Fails every operation that waits for space, now or later, until [`begin`](Self::begin).
    pub(super) fn give_up(&self) {
        self.state().given_up = true;
        self.state.notify();
    }

    /// Notes that a hub begins to use the store: operations wait for space again, even if the last
    /// hub had given up.
    pub(super) fn begin(&self) {
        self.state().given_up = false;
    }

    /// Whether its state is unlocked.
    #[cfg(feature = "testing")]
    pub(super) fn is_free(&self) -> bool {
        self.state.is_free()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// The space that must be free before this many bytes are written.
fn needed_for(bytes: usize) -> u64 {
    FREE_TO_WRITE.saturating_add(bytes as u64)
}

/// Checks that this many bytes are free on the disk of a folder.
pub(super) fn check(disk: &Disk, path: &Path, needed: u64) -> Result<(), StoreError> {
    let doing = || format!("cannot tell how full the disk of `{}` is", path.display());
    let available = disk.available(path);
    let available = available.map_err(|error| StoreError::io_or_exhausted(doing(), error))?;
    if available >= needed {
        return Ok(());
    }
    Err(StoreError::DiskFull { path: path.to_owned(), available, needed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disk_full_says_how_much_room_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        check(&Disk::System, folder.path(), 0).unwrap();
        let error = check(&Disk::System, folder.path(), u64::MAX).unwrap_err();
        assert!(matches!(error, StoreError::DiskFull { needed: u64::MAX, .. }), "{error}");
        assert!(error.to_string().contains("free some space"), "{error}");
    }

    #[test]
    fn a_commit_that_waits_for_room_can_be_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let room = Room::new(&Disk::System, folder.path(), u64::MAX);
        let error = room.for_new_work().unwrap_err();
        assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
        room.until_there_is_room(|| room.check_for(0)).unwrap();
        room.give_up();
        let error = room.until_there_is_room(|| room.check_for(usize::MAX)).unwrap_err();
        assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    }

    #[test]
    fn an_exhausted_resource_is_retried_and_new_work_is_refused_until_then() {
        let folder = tempfile::tempdir().unwrap();
        let room = Room::new(&Disk::System, folder.path(), 0);
        let mut refused = 0;
        let result = room.until_there_is_room(|| {
            if refused == 2 {
                assert!(matches!(room.for_new_work(), Err(StoreError::Exhausted { .. })));
                return Ok("done");
            }
            refused += 1;
            let error = std::io::ErrorKind::StorageFull.into();
            Err(StoreError::io_or_exhausted("cannot write", error))
        });
        assert_eq!((result.unwrap(), refused), ("done", 2));
        room.for_new_work().unwrap();
    }

    #[test]
    fn the_next_hub_on_a_store_waits_for_room_again() {
        let folder = tempfile::tempdir().unwrap();
        let room = Room::new(&Disk::System, folder.path(), 0);
        room.give_up();
        room.begin();
        let mut is_first = true;
        let check = || room.check_for(if std::mem::take(&mut is_first) { usize::MAX } else { 0 });
        room.until_there_is_room(check).unwrap();
    }
}
