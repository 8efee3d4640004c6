//! Services of the operating system beyond plain files: whether a folder is still in its place,
//! space reserved in advance, and which errors are transient.

use std::fs::File;
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
    /// As of [`check`](Self::check).
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

/// Syncs a folder. File systems without this operation do not need it.
pub(super) fn sync_folder(folder: &File) -> io::Result<()> {
    match folder.sync_all() {
        Err(error) if is_unsupported(&error) => Ok(()),
        synced => synced,
    }
}

pub(super) fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

/// Whether a resource is temporarily missing (descriptors, memory, disk space), so that the same
/// call may succeed later.
pub(in crate::store) fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind;
    let is_passing = matches!(
        error.kind(),
        ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::OutOfMemory
            | ErrorKind::Interrupted
            | ErrorKind::WouldBlock
            | ErrorKind::ResourceBusy
    );
    is_passing || error.raw_os_error().is_some_and(has_no_descriptors)
}

#[cfg(unix)]
fn has_no_descriptors(code: i32) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error).contains(&code)
}

/// The error of a process that has no descriptor left.
#[cfg(all(unix, feature = "testing"))]
pub(super) fn no_descriptors() -> io::Error {
    rustix::io::Errno::MFILE.into()
}

#[cfg(all(not(unix), feature = "testing"))]
pub(super) fn no_descriptors() -> io::Error {
    io::Error::from_raw_os_error(4)
}

#[cfg(not(unix))]
fn has_no_descriptors(code: i32) -> bool {
    // `ERROR_TOO_MANY_OPEN_FILES`
    code == 4
}

/// Reserves bytes after the end of a file, without changing its length.
pub(super) fn allocate_after_end(file: &File, length: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        let end = file.metadata()?.len();
        certain(|| Ok(fallocate(file, FallocateFlags::KEEP_SIZE, end, length)?))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, length);
        Ok(())
    }
}

/// Tries to reserve space.
///
/// # Errors
/// Only if there is too little space, or another resource is missing.
pub(super) fn certain(allocate: impl Fn() -> io::Result<()>) -> io::Result<()> {
    loop {
        match allocate() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_passing(&error) => return Err(error),
            // Many file systems cannot reserve space.
            Ok(()) | Err(_) => return Ok(()),
        }
    }
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

    #[test]
    fn allocation_after_the_end_keeps_the_length() {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, b"some bytes").unwrap();
        allocate_after_end(&file, 1024 * 1024).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 10);
        DiskFile::System(file).allocate(4096).unwrap();
    }
}
