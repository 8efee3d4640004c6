//! How an embedded store is opened.

use std::path::Path;

use super::SledStore;
use crate::store::{Durability, StoreError};

const MIB: usize = 1024 * 1024;

/// How a [`SledStore`] is opened: [`SledStore::options`].
///
/// ```standalone_crate
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
}

impl Default for SledOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Immediate,
            overlay_bytes: 40 * MIB,
            cache_bytes: 4 * MIB as u64,
            reserve_bytes: 64 * MIB as u64,
        }
    }
}

impl SledOptions {
    /// When a commit counts as written. By default, when it would survive a power cut.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// About how much memory is used, at most, for what was committed and is not in sled's tree yet;
    /// the log on the disk is about as large. 40 MiB unless told otherwise, at least 1 MiB. More
    /// lets more changes of one instance become one, and makes opening after a crash slower.
    pub fn overlay_bytes(mut self, bytes: usize) -> Self {
        self.overlay_bytes = bytes.max(MIB);
        self
    }

    /// How much of its tree sled keeps in memory, in its own count, which is low: 4 MiB unless told
    /// otherwise. The rest is read from the file, of which the operating system keeps what it can.
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// How much of the disk is kept free for work that has begun: while there is less, new work is
    /// refused with [`StoreError::DiskFull`]. 64 MiB unless told otherwise.
    pub fn reserve_bytes(mut self, bytes: u64) -> Self {
        self.reserve_bytes = bytes;
        self
    }

    /// Opens the folder at `path`, and creates what is missing of it.
    ///
    /// # Errors
    /// See [`SledStore::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<SledStore, StoreError> {
        SledStore::open_with(path.as_ref(), &self)
    }
}
