//! The tree: an ordered map on disk, in sled, or in a simulation that promises no more than sled
//! does.
//!
//! Read next: `sled.rs`, `simulated.rs`, `../base.rs` (what is in it).

mod batch;
#[cfg(feature = "testing")]
mod simulated;
mod sled;
mod stall;
#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

#[cfg(feature = "testing")]
use std::ops::Bound;
use std::ops::RangeBounds;
use std::path::Path;

use ::sled::IVec;

pub(super) use self::batch::Batch;
#[cfg(feature = "testing")]
use self::simulated::SimTree;
use self::sled::SledTree;
use super::disk::Disk;
use super::error::sled_error;
use crate::store::StoreError;

/// An ordered map on disk.
///
/// A batch takes effect as a whole, but a scan may see a part of it. A crash leaves the batches up
/// to some point, at least those before the last [`sync`](Self::sync).
#[derive(Debug)]
pub(super) enum Tree {
    Sled(SledTree),
    #[cfg(feature = "testing")]
    Simulated(SimTree),
}

/// A part of the tree, in order.
pub(super) enum Scan {
    Sled(::sled::Iter),
    #[cfg(feature = "testing")]
    Simulated(simulated::Scan),
}

impl Tree {
    pub(super) fn open(disk: &Disk, path: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        match disk {
            Disk::System => SledTree::open(path, cache_bytes).map(Self::Sled),
            #[cfg(feature = "testing")]
            Disk::Simulated(disk) => SimTree::open(disk, path).map(Self::Simulated),
        }
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        match self {
            Self::Sled(tree) => tree.check(),
            #[cfg(feature = "testing")]
            Self::Simulated(_) => Ok(()),
        }
    }

    pub(super) fn reserve(&self, bytes: u64) -> Result<(), StoreError> {
        match self {
            Self::Sled(tree) => tree.reserve(bytes),
            #[cfg(feature = "testing")]
            Self::Simulated(tree) => tree.reserve(),
        }
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        match self {
            Self::Sled(tree) => tree.tree.get(key).map_err(sled_error),
            #[cfg(feature = "testing")]
            Self::Simulated(tree) => Ok(tree.get(key)),
        }
    }

    pub(super) fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        match self {
            Self::Sled(tree) => tree.apply(batch),
            #[cfg(feature = "testing")]
            Self::Simulated(tree) => tree.apply(batch),
        }
    }

    pub(super) fn sync(&self) -> Result<(), StoreError> {
        match self {
            Self::Sled(tree) => tree.sync(),
            #[cfg(feature = "testing")]
            Self::Simulated(tree) => tree.sync(),
        }
    }

    /// Makes a batch with these keys durable.
    pub(super) fn sync_batch(&self, keys: &[IVec]) -> Result<(), StoreError> {
        match self {
            Self::Sled(tree) => tree.sync_batch(keys),
            #[cfg(feature = "testing")]
            Self::Simulated(tree) => tree.sync(),
        }
    }

    pub(super) fn disk_bytes(&self) -> u64 {
        match self {
            Self::Sled(tree) => tree.disk_bytes(),
            #[cfg(feature = "testing")]
            Self::Simulated(tree) => tree.disk_bytes(),
        }
    }

    pub(super) fn range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> Scan {
        match self {
            Self::Sled(tree) => Scan::Sled(tree.tree.range::<K, _>(range)),
            #[cfg(feature = "testing")]
            Self::Simulated(tree) => {
                let own = |bound: Bound<&K>| bound.map(|key| key.as_ref().to_vec());
                let (from, to) = (own(range.start_bound()), own(range.end_bound()));
                Scan::Simulated(tree.scan(from, to))
            }
        }
    }

    pub(super) fn scan_prefix(&self, prefix: impl AsRef<[u8]>) -> Scan {
        match self {
            Self::Sled(tree) => Scan::Sled(tree.tree.scan_prefix(prefix)),
            #[cfg(feature = "testing")]
            Self::Simulated(tree) => {
                let from = prefix.as_ref().to_vec();
                let to = behind_prefix(from.clone());
                Scan::Simulated(tree.scan(Bound::Included(from), to))
            }
        }
    }

    pub(super) fn iter(&self) -> Scan {
        self.range::<&[u8]>(..)
    }
}

/// Whether the tree at this path was made by an earlier build of version 0.1, which used sled's
/// default for the size of segments.
pub(super) fn has_small_segments(disk: &Disk, path: &Path) -> bool {
    match disk {
        Disk::System => sled::has_small_segments(path),
        #[cfg(feature = "testing")]
        Disk::Simulated(_) => false,
    }
}

/// The bound behind all keys with a prefix.
#[cfg(feature = "testing")]
fn behind_prefix(mut prefix: Vec<u8>) -> Bound<Vec<u8>> {
    while let Some(last) = prefix.pop() {
        if let Some(next) = last.checked_add(1) {
            prefix.push(next);
            return Bound::Excluded(prefix);
        }
    }
    Bound::Unbounded
}

impl Scan {
    pub(super) fn keys(self) -> impl DoubleEndedIterator<Item = Result<IVec, StoreError>> + use<> {
        self.map(|found| found.map(|(key, _)| key))
    }

    pub(super) fn values(
        self,
    ) -> impl DoubleEndedIterator<Item = Result<IVec, StoreError>> + use<> {
        self.map(|found| found.map(|(_, value)| value))
    }
}

impl Iterator for Scan {
    type Item = Result<(IVec, IVec), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Sled(scan) => scan.next().map(|found| found.map_err(sled_error)),
            #[cfg(feature = "testing")]
            Self::Simulated(scan) => scan.next().map(Ok),
        }
    }
}

impl DoubleEndedIterator for Scan {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::Sled(scan) => scan.next_back().map(|found| found.map_err(sled_error)),
            #[cfg(feature = "testing")]
            Self::Simulated(scan) => scan.next_back().map(Ok),
        }
    }
}
