//! Where a backup is written: a folder with another name, which gets its final name at the end.
//!
//! Rules:
//! 1. The folder `NAME.partial` is locked as a hub's folder is, so two backups cannot write to it.
//! 2. `NAME` appears only when everything in it is synced. If the backup fails, `NAME.partial` is
//!    removed; if the process ends first, the next backup to `NAME` removes it.
//! 3. Files that do not belong to a backup are never removed.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::super::compact::size;
use super::super::disk::Disk;
use super::super::folder::{Folder, LOCK, LOG, TREE};
use super::super::system::sync_folder;
use crate::store::StoreError;

/// The ending of the name of an incomplete backup.
const PARTIAL: &str = ".partial";

#[derive(Debug)]
pub(super) struct Target {
    to: PathBuf,
    partial: PathBuf,
    /// `None` once the backup is complete.
    folder: Option<Folder>,
}

impl Target {
    /// Creates the folder in which the backup is written.
    ///
    /// # Errors
    /// [`StoreError::BackupTarget`] if `to` contains something, [`StoreError::InUse`] if another
    /// backup is being written there.
    pub(super) fn create(to: &Path) -> Result<Self, StoreError> {
        let refused = |what| StoreError::BackupTarget { path: to.to_owned(), what };
        let Some(name) = to.file_name() else {
            return Err(refused(Cow::Borrowed("it has no name")));
        };
        match fs::read_dir(to).map(|mut entries| entries.next().is_some()) {
            Ok(false) => {}
            Ok(true) => return Err(refused(Cow::Borrowed("it is not empty"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(refused(Cow::Borrowed("it is not a folder")));
            }
            Err(error) => {
                let doing = format!("cannot read `{}`", to.display());
                return Err(StoreError::io(doing, error));
            }
        }
        let partial = to.with_file_name([name, OsStr::new(PARTIAL)].join(OsStr::new("")));
        let folder = Folder::open(&Disk::System, &partial)?;
        let target = Self { to: to.to_owned(), partial, folder: Some(folder) };
        // An earlier backup may have been killed.
        target.remove_content()?;
        if let Some(foreign) = target.foreign()? {
            let what = format!("`{}` does not belong to a backup", foreign.display());
            return Err(refused(Cow::Owned(what)));
        }
        Ok(target)
    }

    /// The folder that is written.
    pub(super) fn path(&self) -> &Path {
        &self.partial
    }

    pub(super) fn tree(&self) -> PathBuf {
        self.partial.join(TREE)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.partial.join(LOG)
    }

    /// Syncs everything and gives the folder its final name; returns that and the size.
    pub(super) fn complete(mut self) -> Result<(PathBuf, u64), StoreError> {
        let bytes = size(&self.partial);
        let folder = self.folder.take();
        let complete = || {
            if let Some(folder) = &folder {
                folder.sync()?;
            }
            let doing = || format!("cannot rename `{}`", self.partial.display());
            self.rename().map_err(|error| StoreError::io(doing(), error))
        };
        match complete() {
            Ok(()) => Ok((self.to.clone(), bytes)),
            Err(error) => {
                self.folder = folder;
                Err(error)
            }
        }
    }

    fn rename(&self) -> io::Result<()> {
        if self.to.exists() {
            // Fails if it is not empty any more.
            fs::remove_dir(&self.to)?;
        }
        fs::rename(&self.partial, &self.to)?;
        let above = self.to.canonicalize()?;
        above.parent().map_or(Ok(()), |above| sync_folder(&File::open(above)?))
    }

    fn remove_content(&self) -> Result<(), StoreError> {
        for part in [self.tree(), self.log()] {
            match fs::remove_dir_all(&part) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    let doing = format!("cannot remove `{}`", part.display());
                    return Err(StoreError::io(doing, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A file in the folder that no backup has created.
    fn foreign(&self) -> Result<Option<PathBuf>, StoreError> {
        let doing = || format!("cannot read `{}`", self.partial.display());
        let entries = fs::read_dir(&self.partial).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(|error| StoreError::io(doing(), error))?;
        let mut paths = entries.iter().map(fs::DirEntry::path);
        Ok(paths.find(|path| path.file_name() != Some(OsStr::new(LOCK))))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let Some(folder) = self.folder.take() else { return };
        // Whatever remains is removed by the next backup.
        let is_clean = self.remove_content().is_ok() && matches!(self.foreign(), Ok(None));
        if is_clean {
            let _ = fs::remove_dir_all(&self.partial);
        }
        drop(folder);
    }
}
