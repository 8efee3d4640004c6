//! The folders that hubs of this process have open, so that opening can wait until one is closed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

static OPEN: Mutex<Vec<Arc<Folder>>> = Mutex::new(Vec::new());
/// Notified when a folder is closed.
static CLOSED: Condvar = Condvar::new();

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    is_closing: AtomicBool,
}

/// The folder of an open hub, to be dropped after its store.
#[derive(Debug)]
pub(super) struct OpenFolder(Arc<Folder>);

impl OpenFolder {
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

impl Drop for OpenFolder {
    fn drop(&mut self) {
        folders().retain(|folder| !Arc::ptr_eq(folder, &self.0));
        CLOSED.notify_all();
    }
}

fn folders() -> MutexGuard<'static, Vec<Arc<Folder>>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The path as another path to the same folder would be.
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
