//! A folder for the embedded store.

use std::sync::Arc;

use durable::store::{SledStore, Store};
use durable::testing::conformance::StoreUnderTest;
use tempfile::TempDir;

/// A folder whose store is closed before it is opened again.
#[derive(Debug)]
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl StoreUnderTest for Folder {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(SledStore::open(self.0.path()).unwrap())
    }
}
