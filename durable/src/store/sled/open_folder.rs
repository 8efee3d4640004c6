//! An open folder, which may have been moved away since.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::disk::{Disk, DiskFile, Found, Identity};
use crate::store::StoreError;

/// An open folder, with the path at which it was opened.
///
/// With the handle, the folder can be synced even if the process has no descriptor left, and a
/// replacement by another folder, which must not be changed, is detected.
#[derive(Clone, Debug)]
pub(super) struct OpenFolder {
    disk: Disk,
    path: PathBuf,
    handle: Arc<DiskFile>,
    identity: Identity,
}

impl OpenFolder {
    pub(super) fn open(disk: &Disk, path: &Path) -> io::Result<Self> {
        let handle = disk.open(path)?;
        let identity = handle.look()?.identity;
        Ok(Self { disk: disk.clone(), path: path.to_owned(), handle: Arc::new(handle), identity })
    }

    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the names of the files in the folder durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.handle.sync_folder()
    }

    /// # Errors
    /// [`StoreError::FolderMoved`] if the path leads to another folder, or to no folder.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        check_path(&self.disk, &self.path, self.identity).map(drop)
    }

    /// # Errors
    /// [`StoreError::FolderMoved`] if `path` leads to another file than this one, or to none.
    pub(super) fn check_file(&self, path: &Path, file: &DiskFile) -> Result<(), StoreError> {
        let found = file.look();
        let found = found.map_err(|error| StoreError::io_or_exhausted(looking_at(path), error))?;
        check_path(&self.disk, path, found.identity).map(drop)
    }

    /// When a file of the folder was last added, renamed or removed, if the system knows.
    ///
    /// # Errors
    /// See [`check`](Self::check).
    pub(super) fn changed(&self) -> Result<Option<SystemTime>, StoreError> {
        check_path(&self.disk, &self.path, self.identity).map(|found| found.modified)
    }
}

fn check_path(disk: &Disk, path: &Path, wanted: Identity) -> Result<Found, StoreError> {
    use io::ErrorKind::{NotADirectory, NotFound};
    match disk.look(path) {
        Ok(found) if found.identity == wanted => Ok(found),
        Err(error) if !matches!(error.kind(), NotFound | NotADirectory) => {
            Err(StoreError::io_or_exhausted(looking_at(path), error))
        }
        Ok(_) | Err(_) => Err(StoreError::FolderMoved { path: path.to_owned() }),
    }
}

fn looking_at(path: &Path) -> String {
    format!("cannot look at `{}`", path.display())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_moved_or_replaced_folder_is_detected() {
        let base = tempfile::tempdir().unwrap();
        let (here, away) = (base.path().join("here"), base.path().join("away"));
        fs::create_dir(&here).unwrap();
        let opened = OpenFolder::open(&Disk::System, &here).unwrap();
        opened.check().unwrap();
        fs::rename(&here, &away).unwrap();
        assert!(matches!(opened.check(), Err(StoreError::FolderMoved { .. })));
        fs::create_dir(&here).unwrap();
        assert!(matches!(opened.check(), Err(StoreError::FolderMoved { .. })));
        fs::remove_dir(&here).unwrap();
        fs::rename(&away, &here).unwrap();
        opened.check().unwrap();
    }
}
