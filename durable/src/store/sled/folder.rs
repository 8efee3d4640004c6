//! The folder on disk: its lock, and syncing its files when it is opened.
//!
//! Rules:
//! 1. One owner: the file `lock` is locked for as long as the store is open.
//! 2. Every file and folder of the hub is synced once after opening, because sled never syncs files
//!    that it creates. Anything else in the folder (such as the `lost+found` of a volume) is left
//!    alone.
//! 3. The log is created last. As long as it is missing, the folder may be new, and its entry in
//!    the parent folder is synced, too.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process;

use super::system::{is_passing, sync_folder};
use crate::store::StoreError;

/// The folder of sled's files.
pub(super) const TREE: &str = "sled";
/// The folder of the commit log.
pub(super) const LOG: &str = "log";
pub(super) const LOCK: &str = "lock";
/// Where the compacted copy of sled's files is written, before it replaces them.
const NEW_TREE: &str = "sled.new";
const OLD_TREE: &str = "sled.old";
/// An upper bound for the files of a newly created tree.
const NEW_TREE_BYTES: u64 = 1024 * 1024;

/// The locked folder; dropping it releases the lock.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    lock: File,
}

impl Drop for Folder {
    /// Unlocks explicitly, because a child process forked meanwhile shares the open file and would
    /// keep the lock.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

impl Folder {
    /// Creates missing parts of the folder, and locks it.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let doing = || format!("cannot create the folder `{}`", path.display());
        create(path).map_err(|error| StoreError::io(doing(), error))?;
        let folder = Self { path: path.to_owned(), lock: lock(path)? };
        folder.finish_replacement()?;
        Ok(folder)
    }

    pub(super) fn new_tree(&self) -> PathBuf {
        self.path.join(NEW_TREE)
    }

    /// Replaces the tree by the new one, which must be complete and synced.
    pub(super) fn replace_tree(&self) -> Result<(), StoreError> {
        let doing = || format!("cannot rename folders in `{}`", self.path.display());
        let io = |error| StoreError::io(doing(), error);
        fs::rename(self.tree(), self.path.join(OLD_TREE)).map_err(io)?;
        self.finish_replacement()?;
        self.sync()
    }

    /// Completes a replacement that a crash interrupted. The old tree is moved away only after the
    /// new one is complete.
    fn finish_replacement(&self) -> Result<(), StoreError> {
        let (tree, new, old) = (self.tree(), self.new_tree(), self.path.join(OLD_TREE));
        let doing = || format!("cannot rename or remove folders in `{}`", self.path.display());
        let finish = || {
            if !tree.exists() && old.exists() && new.exists() {
                fs::rename(&new, &tree)?;
                sync_folder(&File::open(&self.path)?)?;
            }
            for left in [&new, &old] {
                if tree.exists() && left.exists() {
                    fs::remove_dir_all(left)?;
                }
            }
            Ok(())
        };
        finish().map_err(|error| StoreError::io(doing(), error))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn tree(&self) -> PathBuf {
        self.path.join(TREE)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// Creates the folder of the log durably, if it is missing.
    pub(super) fn create_log(&self) -> Result<(), StoreError> {
        let doing = || format!("cannot create a folder in `{}`", self.path.display());
        let create = || {
            fs::create_dir_all(self.log())?;
            sync_folder(&File::open(&self.path)?)
        };
        create().map_err(|error| StoreError::io(doing(), error))
    }

    /// Whether sled's files are those of a tree that never contained anything: sled writes a
    /// snapshot when it opens a tree with content.
    pub(super) fn is_tree_new(&self) -> Result<bool, StoreError> {
        let doing = || format!("cannot read `{}`", self.tree().display());
        let entries = fs::read_dir(self.tree()).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(|error| StoreError::io(doing(), error))?;
        let is_new = |entry: &fs::DirEntry| {
            let is_small = entry.metadata().is_ok_and(|found| found.len() <= NEW_TREE_BYTES);
            is_small && !entry.file_name().to_string_lossy().starts_with("snap.")
        };
        Ok(entries.iter().all(is_new))
    }

    pub(super) fn remove_tree(&self) -> Result<(), StoreError> {
        let doing = || format!("cannot remove `{}`", self.tree().display());
        fs::remove_dir_all(self.tree()).map_err(|error| StoreError::io(doing(), error))
    }

    /// Syncs every file and folder of the hub, and the entry of a new folder.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        for name in [LOCK, LOG, TREE, NEW_TREE, OLD_TREE] {
            let path = self.path.join(name);
            let doing = || format!("cannot sync `{}`", path.display());
            sync_tree(&path).map_err(|error| StoreError::io(doing(), error))?;
        }
        let sync = || {
            sync_folder(&File::open(&self.path)?)?;
            if self.log().exists() { Ok(()) } else { sync_parent_entries(&self.path) }
        };
        let doing = || format!("cannot sync `{}`", self.path.display());
        sync().map_err(|error| StoreError::io(doing(), error))
    }
}

/// The path of the tree when the folder is opened for reading: a crash may have interrupted the
/// replacement of the tree between its two steps.
pub(super) fn present_tree(path: &Path) -> PathBuf {
    let (tree, new) = (path.join(TREE), path.join(NEW_TREE));
    if !tree.exists() && path.join(OLD_TREE).exists() && new.exists() { new } else { tree }
}

/// Prevents the folder from being opened while it is read. A folder without a lock file stays as it
/// is.
pub(super) fn lock_to_read(path: &Path) -> Result<Option<File>, StoreError> {
    let name = path.join(LOCK);
    // Opening a pipe would block.
    let Some(file) = name.is_file().then(|| File::open(&name).ok()).flatten() else {
        return Ok(None);
    };
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            Err(StoreError::InUse { path: path.to_owned(), owner: owner(&file) })
        }
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(file)),
    }
}

/// The process id in the lock file.
fn owner(mut lock: &File) -> Option<u32> {
    let mut owner = String::new();
    lock.read_to_string(&mut owner).ok().and_then(|_| owner.trim().parse().ok())
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let name = path.join(LOCK);
    let doing = || format!("cannot lock `{}`", name.display());
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&name)
        .map_err(|error| StoreError::io(doing(), error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::InUse { path: path.to_owned(), owner: owner(&file) });
        }
        Err(TryLockError::Error(error)) => return Err(StoreError::io(doing(), error)),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", process::id()))
        .map_err(|error| StoreError::io(doing(), error))?;
    Ok(file)
}

/// Creates the folder, accessible only to its owner, and its parents.
fn create(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        created => created,
    }
}

/// Syncs a file, or a folder recursively, if it exists. Anything else, such as a pipe, does not
/// belong to the hub.
fn sync_tree(path: &Path) -> io::Result<()> {
    let found = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if found.is_dir() {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            // A link may form a cycle.
            if entry.file_type()?.is_symlink() {
                continue;
            }
            match sync_tree(&entry.path()) {
                // Not the hub's: the root of a volume has such folders.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                synced => synced?,
            }
        }
        sync_folder(&File::open(path)?)
    } else if found.is_file() {
        File::open(path)?.sync_all()
    } else {
        Ok(())
    }
}

/// Syncs the entries of a folder and of its parents, which may be new. A folder that cannot be read
/// or synced existed before: a new one could be.
fn sync_parent_entries(path: &Path) -> io::Result<()> {
    for above in path.canonicalize()?.ancestors().skip(1) {
        let synced = File::open(above).and_then(|folder| sync_folder(&folder));
        match synced {
            Err(error) if is_passing(&error) => return Err(error),
            Err(_) => break,
            Ok(()) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forked_child_does_not_keep_the_lock() {
        let base = tempfile::tempdir().unwrap();
        let folder = Folder::open(base.path()).unwrap();
        // A child has the same open file.
        let _of_child = folder.lock.try_clone().unwrap();
        assert!(matches!(Folder::open(base.path()), Err(StoreError::InUse { .. })));
        drop(folder);
        Folder::open(base.path()).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_new_folder_is_private_and_an_existing_one_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let base = tempfile::tempdir().unwrap();
        let (new, old) = (base.path().join("above/new"), base.path().join("old"));
        drop(Folder::open(&new).unwrap());
        assert_eq!(mode(&new), 0o700);
        fs::create_dir(&old).unwrap();
        fs::set_permissions(&old, fs::Permissions::from_mode(0o750)).unwrap();
        drop(Folder::open(&old).unwrap());
        assert_eq!(mode(&old), 0o750);
    }
}
