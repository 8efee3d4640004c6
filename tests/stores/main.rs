//! The stores of the library, each against every point of the contract.
//!
//! They are a separate program, because `tests/databases` runs all of `tests/features` on its stores.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use durable::store::{MemoryStore, SledStore, Store};
use durable::testing::conformance::StoreUnderTest;
use tempfile::TempDir;

mod encoded;
#[path = "../support/folder.rs"]
mod folder;

mod memory {
    durable::testing::conformance_tests!(super::InMemory::default());
}

mod encoded_values {
    durable::testing::conformance_tests!(super::encoded::InMemory::default());
}

mod sled_closed {
    durable::testing::conformance_tests!(super::folder::Folder::new());
}

mod sled_killed {
    durable::testing::conformance_tests!(super::Killed::new());
}

#[derive(Debug, Default)]
struct InMemory(Arc<MemoryStore>);

impl StoreUnderTest for InMemory {
    fn open(&self) -> Arc<dyn Store> {
        Arc::clone(&self.0) as Arc<dyn Store>
    }
}

/// A folder as a killed process leaves it: the store is opened again from a copy that was made while it
/// was still open.
#[derive(Debug)]
struct Killed {
    root: TempDir,
    lives: Mutex<u32>,
}

impl Killed {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), lives: Mutex::new(0) }
    }

    fn folder(&self, life: u32) -> PathBuf {
        self.root.path().join(life.to_string())
    }
}

impl StoreUnderTest for Killed {
    fn open(&self) -> Arc<dyn Store> {
        let life = *self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        // Files that are copied during a checkpoint would be from different moments, unlike after a
        // crash.
        let options = SledStore::options().overlay_bytes(usize::MAX);
        Arc::new(options.open(self.folder(life)).unwrap())
    }

    fn crash(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        {
            let mut life = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
            copy(&self.folder(*life), &self.folder(*life + 1));
            drop(store);
            fs::remove_dir_all(self.folder(*life)).unwrap();
            *life += 1;
        }
        self.open()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
