//! The folder on disk: its lock, and syncing its files when it is opened.
//!
//! Rules:
//! 1. One owner: the file `lock` is locked for as long as the store is open.
//! 2. Every file and folder of the hub is synced once after opening, because sled never syncs files
//!    that it creates. Anything else in the folder (such as the `lost+found` of a volume) is left
//!    alone.
//! 3. The log is created last. As long as it is missing, the folder may be new, and its entry in
//!    the parent folder is synced, too.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process;

use super::disk::{Disk, DiskFile, Kind};
use super::system::is_unsupported;
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
    disk: Disk,
    path: PathBuf,
    lock: DiskFile,
}

impl Drop for Folder {
    /// Unlocks explicitly, because a child process that was forked in the meantime shares the open
    /// file and would keep the lock.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

impl Folder {
    /// Creates missing parts of the folder, and locks it.
    pub(super) fn open(disk: &Disk, path: &Path) -> Result<Self, StoreError> {
        let doing = || format!("cannot create the folder `{}`", path.display());
        create(disk, path).map_err(|error| StoreError::io(doing(), error))?;
        let lock = lock(disk, path)?;
        let folder = Self { disk: disk.clone(), path: path.to_owned(), lock };
        folder.finish_replacement()?;
        Ok(folder)
    }

    pub(super) fn new_tree(&self) -> PathBuf {
        self.path.join(NEW_TREE)
    }

    /// Replaces the tree with the new one, which must be complete and synced.
    pub(super) fn replace_tree(&self) -> Result<(), StoreError> {
        let doing = || format!("cannot rename folders in `{}`", self.path.display());
        let io = |error| StoreError::io(doing(), error);
        self.disk.rename(&self.tree(), &self.path.join(OLD_TREE)).map_err(io)?;
        self.finish_replacement()?;
        self.sync()
    }

    /// Completes a replacement that a crash interrupted, or removes an incomplete new tree. The old
    /// tree is moved away only after the new one is complete.
    pub(super) fn finish_replacement(&self) -> Result<(), StoreError> {
        let (tree, new, old) = (self.tree(), self.new_tree(), self.path.join(OLD_TREE));
        let doing = || format!("cannot rename or remove folders in `{}`", self.path.display());
        let exists = |path| self.disk.exists(path);
        let finish = || {
            if !exists(&tree)? && exists(&old)? && exists(&new)? {
                self.disk.rename(&new, &tree)?;
                self.disk.open(&self.path)?.sync_folder()?;
            }
            for left in [&new, &old] {
                if exists(&tree)? && exists(left)? {
                    self.disk.remove_folder(left)?;
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

    /// Whether there is a log: then the tree has been durable once.
    pub(super) fn has_log(&self) -> Result<bool, StoreError> {
        let doing = || format!("cannot look at `{}`", self.log().display());
        self.disk.exists(&self.log()).map_err(|error| StoreError::io(doing(), error))
    }

    /// Creates the folder of the log durably, if it is missing.
    pub(super) fn create_log(&self) -> Result<(), StoreError> {
        let doing = || format!("cannot create a folder in `{}`", self.path.display());
        let create = || {
            self.disk.create_folder(&self.log())?;
            self.disk.open(&self.path)?.sync_folder()
        };
        create().map_err(|error| StoreError::io(doing(), error))
    }

    /// Whether sled's files are those of a tree that never contained anything: sled writes a
    /// snapshot when it opens a tree with content.
    pub(super) fn is_tree_new(&self) -> Result<bool, StoreError> {
        let doing = || format!("cannot read `{}`", self.tree().display());
        let entries = self.disk.list(&self.tree());
        let entries = entries.map_err(|error| StoreError::io(doing(), error))?;
        let is_new = |(path, _): &(PathBuf, Kind)| {
            let is_small = self.disk.look(path).is_ok_and(|found| found.len <= NEW_TREE_BYTES);
            let name = path.file_name().unwrap_or_default();
            is_small && !name.to_string_lossy().starts_with("snap.")
        };
        Ok(entries.iter().all(is_new))
    }

    pub(super) fn remove_tree(&self) -> Result<(), StoreError> {
        let doing = || format!("cannot remove `{}`", self.tree().display());
        self.disk.remove_folder(&self.tree()).map_err(|error| StoreError::io(doing(), error))
    }

    /// Syncs every file and folder of the hub, and the entry of a new folder.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        for name in [LOCK, LOG, TREE, NEW_TREE, OLD_TREE] {
            let path = self.path.join(name);
            let doing = || format!("cannot sync `{}`", path.display());
            sync_tree(&self.disk, &path).map_err(|error| StoreError::io(doing(), error))?;
        }
        let sync = || {
            self.disk.open(&self.path)?.sync_folder()?;
            let is_new = !self.disk.exists(&self.log())?;
            if is_new { sync_parent_entries(&self.disk, &self.path) } else { Ok(()) }
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
            Err(StoreError::InUse { path: path.to_owned(), owner: owner(&DiskFile::System(file)) })
        }
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(file)),
    }
}

/// The process id in the lock file.
fn owner(lock: &DiskFile) -> Option<u32> {
    lock.read_text().ok()?.trim().parse().ok()
}

fn lock(disk: &Disk, path: &Path) -> Result<DiskFile, StoreError> {
    let name = path.join(LOCK);
    let doing = || format!("cannot lock `{}`", name.display());
    let file = disk.open_or_create(&name).map_err(|error| StoreError::io(doing(), error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::InUse { path: path.to_owned(), owner: owner(&file) });
        }
        Err(TryLockError::Error(error)) => return Err(StoreError::io(doing(), error)),
    }
    file.set_len(0)
        .and_then(|()| file.write_at(format!("{}\n", process::id()).as_bytes(), 0))
        .map_err(|error| StoreError::io(doing(), error))?;
    Ok(file)
}

/// Creates the folder, accessible only to its owner, and its parents.
fn create(disk: &Disk, path: &Path) -> io::Result<()> {
    let is_folder = || disk.look(path).is_ok_and(|found| found.kind == Kind::Folder);
    if is_folder() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        disk.create_folder(above)?;
    }
    match disk.create_private_folder(path) {
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_folder() => Ok(()),
        created => created,
    }
}

/// Syncs a file, or a folder recursively, if it exists. Anything else, such as a pipe, does not
/// belong to the hub.
fn sync_tree(disk: &Disk, path: &Path) -> io::Result<()> {
    let found = match disk.look(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    match found.kind {
        Kind::Folder => {
            for (entry, kind) in disk.list(path)? {
                // A link may form a cycle.
                if kind == Kind::Other {
                    continue;
                }
                match sync_tree(disk, &entry) {
                    // Not the hub's: the root of a volume has such folders.
                    Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                    synced => synced?,
                }
            }
            disk.open(path)?.sync_folder()
        }
        Kind::File => disk.open(path)?.sync_all(),
        Kind::Other => Ok(()),
    }
}

/// Syncs the entries of a folder and of its parents, which may be new. Stops at a folder that
/// cannot be read or synced: it is not new, because a new folder can be.
fn sync_parent_entries(disk: &Disk, path: &Path) -> io::Result<()> {
    for above in disk.canonical(path)?.ancestors().skip(1) {
        let synced = disk.open(above).and_then(|folder| folder.sync_folder());
        match synced {
            Err(error) if existed_before(&error) => break,
            synced => synced?,
        }
    }
    Ok(())
}

fn existed_before(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem) || is_unsupported(error)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_forked_child_does_not_keep_the_lock() {
        let base = tempfile::tempdir().unwrap();
        let folder = Folder::open(&Disk::System, base.path()).unwrap();
        // A child has the same open file.
        #[cfg_attr(
            not(feature = "testing"),
            expect(irrefutable_let_patterns, reason = "without simulations there is one kind")
        )]
        let DiskFile::System(lock) = &folder.lock else { panic!("it is a file of the system") };
        let _of_child = lock.try_clone().unwrap();
        assert!(matches!(Folder::open(&Disk::System, base.path()), Err(StoreError::InUse { .. })));
        drop(folder);
        Folder::open(&Disk::System, base.path()).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_new_folder_is_private_and_an_existing_one_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let base = tempfile::tempdir().unwrap();
        let (new, old) = (base.path().join("above/new"), base.path().join("old"));
        drop(Folder::open(&Disk::System, &new).unwrap());
        assert_eq!(mode(&new), 0o700);
        fs::create_dir(&old).unwrap();
        fs::set_permissions(&old, fs::Permissions::from_mode(0o750)).unwrap();
        drop(Folder::open(&Disk::System, &old).unwrap());
        assert_eq!(mode(&old), 0o750);
    }
}
