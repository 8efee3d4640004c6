//! Services of the operating system beyond plain files: whether a folder is still in its place,
//! space reserved in advance, and which errors are transient.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use fs4::FileExt;

use crate::store::StoreError;

/// An open folder, with the path at which it was opened.
///
/// With the handle, the folder can be synced even if the process has no descriptor left, and a
/// replacement by another folder, which must not be changed, is detected.
#[derive(Clone, Debug)]
pub(super) struct OpenFolder {
    path: PathBuf,
    handle: Arc<File>,
    identity: Identity,
}

/// Identifies a file or folder while it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    #[cfg(unix)]
    fn of(found: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(found.dev(), found.ino())
    }

    /// On other systems, an open folder cannot be moved.
    #[cfg(not(unix))]
    fn of(_found: &Metadata) -> Self {
        Self(0, 0)
    }
}

impl OpenFolder {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let handle = File::open(path)?;
        let identity = Identity::of(&handle.metadata()?);
        Ok(Self { path: path.to_owned(), handle: Arc::new(handle), identity })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the names of the files in the folder durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        sync_folder(&self.handle)
    }

    /// # Errors
    /// [`StoreError::FolderMoved`] if the path leads to another folder, or to no folder.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        check_path(&self.path, self.identity).map(drop)
    }

    /// When a file of the folder was last added, renamed or removed, if the system knows.
    ///
    /// # Errors
    /// As of [`check`](Self::check).
    pub(super) fn changed(&self) -> Result<Option<SystemTime>, StoreError> {
        check_path(&self.path, self.identity).map(|found| found.modified().ok())
    }
}

/// # Errors
/// [`StoreError::FolderMoved`] if `path` leads to another file than this one, or to none.
pub(super) fn check_file(path: &Path, file: &File) -> Result<(), StoreError> {
    let found = file.metadata();
    let found = found.map_err(|error| StoreError::io_or_exhausted(looking_at(path), error))?;
    check_path(path, Identity::of(&found)).map(drop)
}

fn check_path(path: &Path, wanted: Identity) -> Result<Metadata, StoreError> {
    use io::ErrorKind::{NotADirectory, NotFound};
    match fs::metadata(path) {
        Ok(found) if Identity::of(&found) == wanted => Ok(found),
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

#[cfg(not(unix))]
fn has_no_descriptors(code: i32) -> bool {
    // `ERROR_TOO_MANY_OPEN_FILES`
    code == 4
}

/// Reserves `length` bytes for a new file, if the file system can do that.
pub(super) fn allocate(file: &File, length: u64) -> io::Result<()> {
    certain(|| FileExt::allocate(file, length))
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

fn certain(allocate: impl Fn() -> io::Result<()>) -> io::Result<()> {
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
    use super::*;

    #[test]
    fn a_moved_or_replaced_folder_is_detected() {
        let base = tempfile::tempdir().unwrap();
        let (here, away) = (base.path().join("here"), base.path().join("away"));
        fs::create_dir(&here).unwrap();
        let opened = OpenFolder::open(&here).unwrap();
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
        allocate(&file, 4096).unwrap();
    }
}
