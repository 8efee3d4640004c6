//! Opening a hub in a folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::guarded_store::GuardedStore;
use super::hub_folders::{self, HubFolder};
use super::open_error::OpenError;
use super::telemetry::lines::Kept;
use super::time::clock;
use crate::store::{Durability, SledOptions, SledStore, Store, StoreError};

/// How long to wait for a folder that this process has open.
const IN_USE: Duration = Duration::from_secs(1);
/// How long to wait for a folder of a hub that has been dropped or shut down.
const CLOSING: Duration = Duration::from_secs(30);
/// How often to try to open a folder that is in use.
const TRY: Duration = Duration::from_millis(20);

pub(super) fn open(
    path: PathBuf,
    durability: Durability,
) -> Result<(Arc<dyn Store>, Kept), OpenError> {
    match open_store(&SledStore::options().durability(durability), &path) {
        Ok(store) => {
            let folder = HubFolder::new(&path);
            Ok((Arc::new(GuardedStore::in_folder(Arc::new(store), folder)), Kept::Folder(path)))
        }
        Err(StoreError::InUse { path, owner }) => Err(OpenError::InUse { path, owner }),
        Err(error) => Err(error.into()),
    }
}

/// Opens the store. If this process still has the folder open, the threads of a dropped hub may not
/// have ended yet, so this retries for a limited time.
fn open_store(options: &SledOptions, path: &Path) -> Result<SledStore, StoreError> {
    let begun = clock::stopwatch();
    loop {
        let opened = options.clone().open(path);
        let Err(StoreError::InUse { owner: Some(owner), .. }) = &opened else { return opened };
        let patience = if hub_folders::is_closing(path) { CLOSING } else { IN_USE };
        if *owner != std::process::id() || begun.elapsed() >= patience {
            return opened;
        }
        hub_folders::wait(TRY);
    }
}
