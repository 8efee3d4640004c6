//! The options with which an embedded store is opened.

use super::disk::Disk;
use super::sizes::Sizes;
use crate::store::Durability;

const MIB: usize = 1024 * 1024;

/// The options of a [`SledStore`](crate::store::SledStore), created by
/// [`SledStore::options`](crate::store::SledStore::options).
///
/// ```
/// # use durable::prelude::*;
/// use std::time::Duration;
///
/// use durable::store::{Durability, SledStore};
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path();
/// let store = SledStore::options()
///     .durability(Durability::Within(Duration::from_millis(20)))
///     .cache_bytes(128 * 1024 * 1024)
///     .open(path)?;
/// let hub = TaskHub::builder().store(store).open().await?;
/// # hub.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is opened without `.open(path)`"]
pub struct SledOptions {
    pub(super) durability: Durability,
    pub(super) overlay_bytes: usize,
    pub(super) cache_bytes: u64,
    pub(super) reserve_bytes: u64,
    pub(super) disk: Disk,
    pub(super) sizes: Sizes,
}

impl Default for SledOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Immediate,
            overlay_bytes: 40 * MIB,
            cache_bytes: 4 * MIB as u64,
            reserve_bytes: 64 * MIB as u64,
            disk: Disk::System,
            sizes: Sizes::PRODUCTION,
        }
    }
}

impl SledOptions {
    /// Sets when a commit counts as durable. By default, a commit must have reached the disk.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets the approximate maximum memory for commits that are not in sled's tree yet; the log on
    /// disk has about the same size. The default is 40 MiB, the minimum 1 MiB. With more memory,
    /// more changes of one instance are combined, and opening after a crash is slower.
    pub fn overlay_bytes(mut self, bytes: usize) -> Self {
        self.overlay_bytes = bytes.max(MIB);
        self
    }

    /// Sets the size of sled's cache for its tree, by sled's own count, which is too low. The
    /// default is 4 MiB. Other pages are read from the file, which the operating system caches.
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Sets the disk space reserved for running work: while less is free, new work is rejected with
    /// [`StoreError::DiskFull`](crate::store::StoreError::DiskFull). The default is 64 MiB.
    pub fn reserve_bytes(mut self, bytes: u64) -> Self {
        self.reserve_bytes = bytes;
        self
    }
}
