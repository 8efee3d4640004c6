//! Backups of a running hub, each on a thread of its own.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::hub::error::{BackupError, HubError};
use crate::hub::task_hub::TaskHub;
use crate::panics;
use crate::store::{BackupReport, Store};

impl TaskHub {
    /// Writes a consistent, verified copy of the hub into the new folder `to` while work continues.
    ///
    /// The backup contains every commit that was acknowledged before the call, and possibly later
    /// ones: it is the state of the hub at one moment between call and return. To restore it, open
    /// its folder, or a copy of it, as a hub. The folder appears under its name only when it is
    /// complete; until then its name ends in `.partial`. Missing parent folders are created.
    ///
    /// While a backup runs, the hub keeps the log of its commits, so it needs more disk space, and
    /// its throughput is lower (see `docs/operations.md`). Several backups may run at the same time.
    /// The backup continues if the future is dropped, and ends if the hub is shut down.
    ///
    /// Stores in a folder support this. Back up other stores with the tools of their database.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// # let folder = tempfile::tempdir()?;
    /// # let (path, to) = (folder.path().join("hub"), folder.path().join("backups/monday"));
    /// let hub = TaskHub::open(&path).await?;
    /// let report = hub.backup(&to).await?;
    /// println!("{}: {report}", report.path.display());
    /// hub.shutdown().await?;
    ///
    /// let restored = TaskHub::open(&to).await?;
    /// # restored.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`BackupError::Store`] with [`Unsupported`](crate::store::StoreError::Unsupported) if the
    /// store has no backups, [`BackupTarget`](crate::store::StoreError::BackupTarget) if `to`
    /// exists and is not an empty folder, [`DiskFull`](crate::store::StoreError::DiskFull) if there
    /// is too little space, [`BackupStopped`](crate::store::StoreError::BackupStopped) if the hub
    /// is shut down in the meantime, or the error that stopped the backup. The hub continues, and
    /// nothing is left at `to`.
    pub async fn backup(&self, to: impl Into<PathBuf>) -> Result<BackupReport, BackupError> {
        let to = to.into();
        self.check()?;
        let store = self.store().ok_or(HubError::ShutDown)?;
        let (reply, result) = oneshot::channel();
        let run = move || {
            panics::shield(|| {
                let result = store.backup(&to);
                // Before the reply, so that a caller can open the folder after a shutdown.
                drop(store);
                drop(reply.send(result));
            });
        };
        let started = self.inner.threads.start("durable-backup", run);
        started.map_err(|error| BackupError::Thread(Arc::new(error)))?;
        Ok(result.await.map_err(|_stopped| self.error())??)
    }
}
