//! A store that fails from a chosen commit on.

use std::sync::atomic::{AtomicU64, Ordering};

use durable::store::{Commit, MemoryStore, Store, StoreError};

use super::delegate::delegate;

/// A store that accepts a number of commits and rejects all further ones.
#[derive(Debug)]
pub(crate) struct Breaking {
    inner: MemoryStore,
    /// How many more commits succeed.
    left: AtomicU64,
    /// Whether a rejected commit panics instead of returning an error.
    panics: bool,
}

impl Breaking {
    pub(crate) fn new(panics: bool) -> Self {
        Self { inner: MemoryStore::default(), left: AtomicU64::new(u64::MAX), panics }
    }

    pub(crate) fn break_after(&self, commits: u64) {
        self.left.store(commits, Ordering::SeqCst);
    }

    pub(crate) fn mend(&self) {
        self.break_after(u64::MAX);
    }
}

impl Store for Breaking {
    delegate! { (inner) create claim load messages instance due instances history }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let one_less = |left: u64| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_err() {
            assert!(!self.panics, "the disk is on fire");
            return Err(StoreError::Poisoned { cause: "the disk is gone".to_owned() });
        }
        self.inner.commit(commit)
    }
}
