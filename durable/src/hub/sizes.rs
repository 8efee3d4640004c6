//! How much the hub does at once, and keeps in memory.
//!
//! No result depends on these numbers. Tests make them small, so that what is rare in production
//! becomes common.

/// The internal sizes of a hub.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// The maximum number of due instances per turn, and of stored messages per read.
    pub(crate) at_once: usize,
    /// The maximum number of generations of an instance per turn, unless it has many unread events.
    pub(crate) generations: usize,
    /// Number of writes that are handed over together: enough to pay for waking the committer, and
    /// few enough that they are committed while the partition continues.
    pub(crate) hand_over: usize,
    /// Number of bytes that are handed over together: about one group.
    pub(crate) hand_over_bytes: usize,
    /// The writes that are committed together, and those that wait.
    pub(crate) commit: CommitSizes,
    /// How much of the list of due instances is in memory.
    pub(crate) due: DueSizes,
    /// The queue of an entity.
    pub(crate) queue: QueueSizes,
}

/// The sizes of groups, and of the queue before the committer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommitSizes {
    /// The most writes in a group.
    pub(crate) group: usize,
    /// The most bytes in a group of several writes.
    pub(crate) group_bytes: usize,
    /// Above this many waiting writes, partitions have to wait.
    pub(crate) waiting: usize,
    /// Above this many waiting bytes, partitions have to wait.
    pub(crate) waiting_bytes: usize,
}

/// How much of the list of due instances is in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DueSizes {
    /// Number of entries per read.
    pub(crate) read: usize,
    /// Number of entries before the horizon that stay in memory.
    pub(crate) keep: usize,
}

/// The sizes of an entity's queue in memory, of its batches, and of its reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueSizes {
    /// Number of messages in memory.
    pub(crate) messages: usize,
    /// Number of bytes in memory.
    pub(crate) bytes: usize,
    /// Number of operations of a batch.
    pub(crate) batch: usize,
    /// Number of bytes of a batch. A single operation may exceed it.
    pub(crate) batch_bytes: usize,
    /// Number of messages of the first read, which shows how large they are.
    pub(crate) first_read: usize,
    /// The maximum number of messages per read.
    pub(crate) read: usize,
}

impl Sizes {
    /// The sizes in production.
    pub(crate) const PRODUCTION: Self = Self {
        at_once: 1024,
        generations: 64,
        hand_over: 64,
        hand_over_bytes: 4 << 20,
        commit: CommitSizes {
            group: 1024,
            group_bytes: 4 << 20,
            waiting: 4096,
            waiting_bytes: 64 << 20,
        },
        due: DueSizes { read: 1024, keep: 16 * 1024 },
        queue: QueueSizes {
            messages: 4096,
            bytes: 8 << 20,
            batch: 1000,
            batch_bytes: 1 << 20,
            first_read: 8,
            read: 1024,
        },
    };
}

impl Default for Sizes {
    fn default() -> Self {
        Self::PRODUCTION
    }
}
