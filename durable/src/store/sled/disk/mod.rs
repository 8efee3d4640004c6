//! Files and folders: those of the operating system, or of a simulated disk.
//!
//! All that the store does with files goes through here, except what sled does with its own. In
//! production there is one variant, so nothing is decided at run time.
//!
//! Read next: `simulated.rs` (crashes), `machine.rs` (failing calls), `../system.rs` (what is built on
//! top).

#[cfg(feature = "testing")]
pub(super) mod actors;
#[cfg(feature = "testing")]
mod content;
mod found;
#[cfg(feature = "testing")]
mod machine;
#[cfg(feature = "testing")]
mod names;
#[cfg(feature = "testing")]
pub(crate) mod simulated;
#[cfg(feature = "testing")]
pub(super) mod tree_content;

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use fs4::FileExt;

use self::found::kind;
pub(super) use self::found::{Found, Identity, Kind};
#[cfg(feature = "testing")]
use self::simulated::{SimDisk, SimFile};
use super::system;

/// Where files are.
#[derive(Clone, Debug)]
pub(super) enum Disk {
    System,
    #[cfg(feature = "testing")]
    Simulated(SimDisk),
}

/// An open file or folder.
#[derive(Debug)]
pub(super) enum DiskFile {
    System(File),
    #[cfg(feature = "testing")]
    Simulated(SimFile),
}

impl Disk {
    /// What a path leads to; links are followed.
    pub(super) fn look(&self, path: &Path) -> io::Result<Found> {
        match self {
            Self::System => fs::metadata(path).map(|found| Found::of(&found)),
            #[cfg(feature = "testing")]
            Self::Simulated(disk) => disk.look(path),
        }
    }

    /// Whether a path leads to anything. A failed call is an error: what exists must not be taken for
    /// missing.
    pub(super) fn exists(&self, path: &Path) -> io::Result<bool> {
        match self.look(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens a file or folder for reading.
    pub(super) fn open(&self, path: &Path) -> io::Result<DiskFile> {
        match self {
            Self::System => File::open(path).map(DiskFile::System),
            #[cfg(feature = "testing")]
            Self::Simulated(disk) => disk.open(path).map(DiskFile::Simulated),
        }
    }

    /// Creates an empty file, or empties it.
    pub(super) fn create(&self, path: &Path) -> io::Result<DiskFile> {
        match self {
            Self::System => File::create(path).map(DiskFile::System),
            #[cfg(feature = "testing")]
            Self::Simulated(disk) => disk.create(path, true).map(DiskFile::Simulated),
        }
    }

    /// Opens a file for reading and writing, or creates it.
    pub(super) fn open_or_create(&self, path: &Path) -> io::Result<DiskFile> {
        match self {
            Self::System => {
                let mut options = File::options();
                let options = options.read(true).write(true).create(true).truncate(false);
                options.open(path).map(DiskFile::System)
            }
            #[cfg(feature = "testing")]
            Self::Simulated(disk) => disk.create(path, false).map(DiskFile::Simulated),
        }
    }

    /// The content of a file.
    pub(super) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self {
            Self::System => fs::read(path),
            #[cfg(feature = "testing")]
            Self::Simulated(disk) => disk.read(path),
        }
    }

    /// What a folder contains; links are not followed.
    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<(PathBuf, Kind)>> {
        match self {
            Self::System => {
                let entries = fs::read_dir(path)?.map(|entry| {
                    let entry = entry?;
                    Ok((entry.path(), kind(entry.file_type()?)))
                });
                entries.collect()
            }
            #[cfg(feature = "testing")]
            Self::Simulated(disk) => disk.list(path),
        }
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        match self {
            Self::System => fs::rename(from, to),
            #[cfg(feature = "testing")]
            Self::Simulated(disk) => disk.rename(from, to),
        }
    }

    pub(super) fn remove_file(&self, path: &Path) -> io::Result<()> {
        match self {
            Self::System => fs::remove_file(path),
            #[cfg(feature = "testing")]
            Self::Simulated(disk) => disk.remove_file(path),
        }
    }

    /// Removes a folder with all that it contains.
    pub(super) fn remove_folder(&self, path: &Path) -> io::Result<()> {
        match self {
            Self::System => fs::remove_dir_all(path),
            #[cfg(feature = "testing")]
            Self::Simulated(disk) => disk.remove_folder(path),
        }
    }

    /// Creates a folder with its parents, if it is missing.
    pub(super) fn create_folder(&self, path: &Path) -> io::Result<()> {
        match self {
            Self::System => fs::create_dir_all(path),
            #[cfg(feature = "testing")]
            Self::Simulated(disk) => disk.create_folder(path),
        }
    }

    /// Creates a folder that only its owner can access.
    pub(super) fn create_private_folder(&self, path: &Path) -> io::Result<()> {
        match self {
            Self::System => {
                let mut builder = DirBuilder::new();
                #[cfg(unix)]
                std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
                builder.create(path)
            }
            #[cfg(feature = "testing")]
            Self::Simulated(disk) => disk.create_folder(path),
        }
    }

    /// The path without links.
    pub(super) fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        match self {
            Self::System => path.canonicalize(),
            #[cfg(feature = "testing")]
            Self::Simulated(_) => Ok(path.to_owned()),
        }
    }

    /// How many bytes are free on the disk of a folder.
    pub(super) fn available(&self, path: &Path) -> io::Result<u64> {
        match self {
            Self::System => fs4::available_space(path),
            #[cfg(feature = "testing")]
            Self::Simulated(disk) => disk.available(path),
        }
    }
}

impl DiskFile {
    /// Writes all of these bytes at an offset.
    pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match self {
            #[cfg(unix)]
            Self::System(file) => std::os::unix::fs::FileExt::write_all_at(file, bytes, offset),
            #[cfg(not(unix))]
            Self::System(mut file) => {
                use std::io::{Seek, SeekFrom, Write};
                file.seek(SeekFrom::Start(offset))?;
                file.write_all(bytes)
            }
            #[cfg(feature = "testing")]
            Self::Simulated(file) => file.write_at(bytes, offset),
        }
    }

    pub(super) fn set_len(&self, len: u64) -> io::Result<()> {
        match self {
            Self::System(file) => file.set_len(len),
            #[cfg(feature = "testing")]
            Self::Simulated(file) => file.set_len(len),
        }
    }

    /// Makes the content durable.
    pub(super) fn sync_data(&self) -> io::Result<()> {
        match self {
            Self::System(file) => file.sync_data(),
            #[cfg(feature = "testing")]
            Self::Simulated(file) => file.sync(),
        }
    }

    /// Makes the content and the metadata durable.
    pub(super) fn sync_all(&self) -> io::Result<()> {
        match self {
            Self::System(file) => file.sync_all(),
            #[cfg(feature = "testing")]
            Self::Simulated(file) => file.sync(),
        }
    }

    /// Makes the entries of a folder durable. File systems without this operation do not need it.
    pub(super) fn sync_folder(&self) -> io::Result<()> {
        match self {
            Self::System(folder) => system::sync_folder(folder),
            #[cfg(feature = "testing")]
            Self::Simulated(folder) => folder.sync(),
        }
    }

    pub(super) fn look(&self) -> io::Result<Found> {
        match self {
            Self::System(file) => file.metadata().map(|found| Found::of(&found)),
            #[cfg(feature = "testing")]
            Self::Simulated(file) => file.look(),
        }
    }

    /// Reserves `len` bytes for a new file, if the file system can do that.
    pub(super) fn allocate(&self, len: u64) -> io::Result<()> {
        match self {
            Self::System(file) => system::certain(|| FileExt::allocate(file, len)),
            #[cfg(feature = "testing")]
            Self::Simulated(file) => file.allocate(len),
        }
    }

    pub(super) fn try_lock(&self) -> Result<(), TryLockError> {
        match self {
            Self::System(file) => file.try_lock(),
            #[cfg(feature = "testing")]
            Self::Simulated(file) => file.try_lock(),
        }
    }

    pub(super) fn unlock(&self) -> io::Result<()> {
        match self {
            Self::System(file) => file.unlock(),
            #[cfg(feature = "testing")]
            Self::Simulated(file) => {
                file.unlock();
                Ok(())
            }
        }
    }

    /// The rest of a file as text.
    pub(super) fn read_text(&self) -> io::Result<String> {
        let mut text = String::new();
        match self {
            Self::System(file) => {
                let mut file = file;
                file.read_to_string(&mut text)?;
            }
            #[cfg(feature = "testing")]
            Self::Simulated(file) => text = String::from_utf8_lossy(&file.read()?).into_owned(),
        }
        Ok(text)
    }
}
