//! Opening a hub in a folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::error::OpenError;
use super::guarded_store::GuardedStore;
use super::telemetry::lines::Kept;
use super::time::clock;
use crate::store::{Durability, SledOptions, SledStore, Store, StoreError};

/// How long to wait for a folder that this process still has open.
const IN_USE: Duration = Duration::from_secs(1);

pub(super) fn open(
    path: PathBuf,
    durability: Durability,
) -> Result<(Arc<dyn Store>, Kept), OpenError> {
    match open_store(&SledStore::options().durability(durability), &path) {
        Ok(store) => Ok((Arc::new(GuardedStore::new(Arc::new(store))), Kept::Folder(path))),
        Err(StoreError::InUse { path, owner }) => Err(OpenError::InUse { path, owner }),
        Err(error) => Err(error.into()),
    }
}

/// Opens the store. If this process still has the folder open, a hub may have been dropped whose
/// threads have not ended yet, so this retries for a second.
fn open_store(options: &SledOptions, path: &Path) -> Result<SledStore, StoreError> {
    let begun = clock::stopwatch();
    loop {
        match options.clone().open(path) {
            Err(StoreError::InUse { owner: Some(owner), .. })
                if owner == std::process::id() && begun.elapsed() < IN_USE =>
            {
                thread::park_timeout(IN_USE / 50);
            }
            opened => return opened,
        }
    }
}
