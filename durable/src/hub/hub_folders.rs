//! The folders that hubs of this process have open.
//!
//! This list distinguishes a folder that is about to be closed, because its hub was dropped, from
//! one that is in use.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

static FOLDERS: Mutex<Vec<Arc<Folder>>> = Mutex::new(Vec::new());
/// Notified when a folder is closed.
static CLOSED: Condvar = Condvar::new();

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    is_closing: AtomicBool,
}

/// The folder of an open hub, to be dropped after its store.
#[derive(Debug)]
pub(super) struct HubFolder(Arc<Folder>);

impl HubFolder {
    pub(super) fn new(path: &Path) -> Self {
        let folder = Arc::new(Folder { path: plain(path), is_closing: AtomicBool::new(false) });
        folders().push(Arc::clone(&folder));
        Self(folder)
    }

    /// Notes that the hub closes the folder as soon as its threads have ended.
    pub(super) fn close(&self) {
        self.0.is_closing.store(true, Ordering::Relaxed);
    }
}

impl Drop for HubFolder {
    fn drop(&mut self) {
        folders().retain(|folder| !Arc::ptr_eq(folder, &self.0));
        CLOSED.notify_all();
    }
}

fn folders() -> MutexGuard<'static, Vec<Arc<Folder>>> {
    FOLDERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The path in a form that all paths to the same folder share.
fn plain(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Whether a hub of this process is about to close the folder.
pub(super) fn is_closing(path: &Path) -> bool {
    let path = plain(path);
    folders().iter().any(|folder| folder.path == path && folder.is_closing.load(Ordering::Relaxed))
}

/// Waits until a folder is closed, but not longer than this.
pub(super) fn wait(at_most: Duration) {
    drop(CLOSED.wait_timeout(folders(), at_most));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_closing_from_the_end_of_its_hub_until_its_store_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let other_name = folder.path().join(".");
        let hub = HubFolder::new(folder.path());
        assert!(!is_closing(&other_name));
        hub.close();
        assert!(is_closing(&other_name));
        drop(hub);
        assert!(!is_closing(&other_name));
    }
}
