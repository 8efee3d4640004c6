//! A database for a test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use durable::store::Store;
use durable::testing::conformance::StoreUnderTest;
use tempfile::TempDir;

use crate::SqliteStore;

/// A database in a folder of its own, which is removed with this value. A crash leaves a copy of the
/// files that was made while the database was open.
#[derive(Debug)]
pub struct Database {
    root: TempDir,
    crashes: Mutex<u32>,
    syncs: bool,
}

impl Database {
    /// A database that does not exist yet.
    ///
    /// # Panics
    /// The system has no temporary folder.
    #[expect(clippy::new_without_default, reason = "each is another folder")]
    pub fn new() -> Self {
        let root = tempfile::tempdir();
        Self { root: root.expect("a temporary folder"), crashes: Mutex::new(0), syncs: true }
    }

    /// A database that does not wait for the disk, for tests without crashes of the machine.
    ///
    /// # Panics
    /// As for [`new`](Self::new).
    pub fn unsynced() -> Self {
        Self { syncs: false, ..Self::new() }
    }

    fn folder(&self, crashes: u32) -> PathBuf {
        self.root.path().join(crashes.to_string())
    }
}

impl StoreUnderTest for Database {
    fn open(&self) -> Arc<dyn Store> {
        let crashes = *self.crashes.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = self.folder(crashes);
        fs::create_dir_all(&folder).expect("a folder");
        Arc::new(SqliteStore::open_with(&folder.join("hub.db"), self.syncs).expect("a database"))
    }

    fn crash(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        {
            let mut crashes = self.crashes.lock().unwrap_or_else(PoisonError::into_inner);
            copy(&self.folder(*crashes), &self.folder(*crashes + 1)).expect("a copy");
            *crashes += 1;
        }
        drop(store);
        self.open()
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        // SQLite rebuilds the index of the log from the log.
        if entry.path().extension().is_none_or(|ending| ending != "db-shm") {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
