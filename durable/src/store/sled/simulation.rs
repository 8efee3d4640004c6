//! A store on a simulated disk.

use std::path::Path;

use super::disk::Disk;
use super::disk::simulated::SimDisk;
use super::{SledOptions, SledStore};
use crate::store::StoreError;

impl SimDisk {
    /// Opens a store in a folder of this disk. `size` chooses the internal sizes of the store: it gets
    /// the name and the value in production of each.
    ///
    /// # Errors
    /// See [`SledStore::open`].
    pub fn open_store(
        &self,
        path: &Path,
        mut options: SledOptions,
        mut size: impl FnMut(&'static str, usize) -> usize,
    ) -> Result<SledStore, StoreError> {
        options.disk = Disk::Simulated(self.clone());
        let (log, checkpoint) = (&mut options.sizes.log, &mut options.sizes.checkpoint);
        for (name, value) in [
            ("segment_min", &mut log.segment_min),
            ("segment_max", &mut log.segment_max),
            ("segment_step", &mut log.synced_at_once),
            ("checkpoint_operations", &mut checkpoint.operations),
            ("checkpoint_bytes", &mut checkpoint.bytes),
            ("tail", &mut checkpoint.tail),
            ("overlay", &mut options.overlay_bytes),
        ] {
            *value = size(name, *value).max(1);
        }
        options.open(path)
    }
}
