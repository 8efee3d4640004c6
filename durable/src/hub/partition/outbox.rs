//! What a partition has written and not handed over yet.

use std::sync::Arc;

use crate::hub::commit::committer::Committer;
use crate::hub::commit::write::Write;

/// How many writes are handed over at once: enough that the way is paid by many, and few enough
/// that they are committed while the partition goes on.
const HAND_OVER: usize = 64;
/// How many bytes are handed over at once: about a group.
const HAND_OVER_BYTES: usize = 4 << 20;

/// Where a partition puts what it wants written. What is still there when the partition goes, goes
/// before it.
#[derive(Debug)]
pub(crate) struct Outbox {
    committer: Arc<Committer>,
    writes: Vec<Write>,
    /// How many bytes they have.
    bytes: usize,
}

impl Outbox {
    pub(crate) fn new(committer: Arc<Committer>) -> Self {
        committer.writes.join();
        Self { committer, writes: Vec::new(), bytes: 0 }
    }

    pub(crate) fn put(&mut self, write: Write) {
        self.bytes += write.bytes;
        self.writes.push(write);
        if self.writes.len() >= HAND_OVER || self.bytes >= HAND_OVER_BYTES {
            self.hand_over();
        }
    }

    /// Hands the collected writes to the committer's thread.
    pub(crate) fn hand_over(&mut self) {
        if !self.writes.is_empty() {
            self.bytes = 0;
            self.committer.writes.add(&mut self.writes);
        }
    }

    /// Commits the collected writes on this thread, unless another thread is committing.
    pub(crate) fn commit(&mut self) {
        if !self.writes.is_empty() {
            self.bytes = 0;
            self.committer.commit_at_once(&mut self.writes);
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.hand_over();
        self.committer.writes.leave();
    }
}
