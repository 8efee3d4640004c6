//! How much the store does at once.
//!
//! No result depends on these numbers. Tests make them small, so that what is rare in production
//! becomes common.

/// The internal sizes of a store in a folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) log: LogSizes,
    pub(super) checkpoint: CheckpointSizes,
}

/// The sizes of the log's files.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogSizes {
    /// Size of the first segment. It is small because most hubs are; each segment is four times as
    /// large as the one before it.
    pub(super) segment_min: usize,
    pub(super) segment_max: usize,
    /// Number of bytes between two syncs of a new segment. It is small, because the sync of a commit
    /// waits for it.
    pub(super) synced_at_once: usize,
}

/// The sizes of a checkpoint's batches, and of the values that it writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct CheckpointSizes {
    /// A batch is written when it reaches this many operations. A finished instance takes one, and
    /// the index by creation one per block (`creation/block.rs`).
    pub(super) operations: usize,
    /// A batch is written when it reaches this many bytes.
    pub(super) bytes: usize,
    /// The maximum length of the newest part of a history, which is in the value of its instance.
    pub(super) tail: usize,
}

impl Sizes {
    /// The sizes in production.
    pub(super) const PRODUCTION: Self = Self {
        log: LogSizes {
            segment_min: 1024 * 1024,
            segment_max: 16 * 1024 * 1024,
            synced_at_once: 512 * 1024,
        },
        checkpoint: CheckpointSizes { operations: 128, bytes: 128 * 1024, tail: 3 * 1024 },
    };
}
