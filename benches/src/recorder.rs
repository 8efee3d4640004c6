//! A store that records the size of each commit, and delegates to another store.
//!
//! Owns the measure of "the same bytes in the same group sizes": an engine runs once on this store,
//! untimed, and the raw log then appends and syncs exactly the groups of that run.
//!
//! The bytes are those of the commit's content in `MessagePack`, as the stores encode it: records,
//! events, messages and the ids of what is consumed or purged. What a store adds for itself (keys,
//! checksums, indexes) is not counted, so the raw limit is never made slower by it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use durable::store::{Commit, Store, StoreError};
use serde::Serialize;

use crate::delegate::delegate;

/// The groups of a [`Recorder`], in bytes each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups(Arc<Mutex<Vec<usize>>>);

impl Groups {
    /// The groups since the last call, in order.
    pub(crate) fn take(&self) -> Vec<usize> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, bytes: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
    }
}

/// Records the commits that it passes on to `S`.
#[derive(Debug)]
pub(crate) struct Recorder<S> {
    store: S,
    groups: Groups,
}

impl<S: Store> Recorder<S> {
    pub(crate) fn new(store: S) -> (Self, Groups) {
        let groups = Groups::default();
        (Self { store, groups: groups.clone() }, groups)
    }
}

impl<S: Store> Store for Recorder<S> {
    delegate! {
        (store) create claim load messages instance due instances history check_room usage give_up
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        self.groups.push(bytes_of(commit));
        self.store.commit(commit)
    }
}

/// The size of the content of `commit` in bytes.
pub(crate) fn bytes_of(commit: &Commit) -> usize {
    let episodes = commit.episodes.iter().map(|e| encoded(&(&e.record, &e.events, e.replaces)));
    let purged = commit.purged.iter().map(encoded);
    let consumed = commit.consumed.iter().map(encoded);
    let messages = commit.messages.iter().map(encoded);
    episodes.chain(purged).chain(consumed).chain(messages).sum()
}

fn encoded(value: &impl Serialize) -> usize {
    let mut counter = Counter(0);
    // Types of the protocol can always be encoded; a failure would only make the limit stricter.
    let _ = rmp_serde::encode::write(&mut counter, value);
    counter.0
}

/// A writer that counts bytes.
struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
