//! Services of the operating system beyond plain files: space reserved in advance, and which errors
//! are transient.

use std::fs::File;
use std::io;

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
    use super::*;

    #[test]
    fn allocation_after_the_end_keeps_the_length() {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, b"some bytes").unwrap();
        allocate_after_end(&file, 1024 * 1024).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 10);
    }
}
