//! Changes to the folder of an open store: it is moved, removed, or locked by others.

use super::*;

impl Opened {
    /// Opens the store in a folder `hub`, so that the folder can be moved.
    fn in_hub() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, owner) = open(&folder.path().join("hub"));
        Self { store, owner, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("hub")
    }

    fn try_write(&self, instance: &str) -> Result<(), StoreError> {
        try_write(&self.store, self.owner, instance)
    }
}

fn open(path: &Path) -> (SledStore, (PartitionId, Epoch)) {
    let store = SledStore::open(path).unwrap();
    let epoch = store.claim(PARTITION).unwrap();
    (store, (PARTITION, epoch))
}

fn try_write(
    store: &SledStore,
    owner: (PartitionId, Epoch),
    instance: &str,
) -> Result<(), StoreError> {
    let episodes = vec![episode(instance, 0)];
    store.commit(&Commit { owners: vec![owner], episodes, ..Commit::default() })
}

fn files_of_log(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.collect();
    files.sort();
    files
}

#[test]
fn commits_fail_after_a_folder_was_moved_and_leave_its_replacement_alone() {
    let opened = Opened::in_hub();
    opened.try_write("before").unwrap();
    let (path, moved) = (opened.path(), opened.folder.path().join("moved"));
    fs::rename(&path, &moved).unwrap();
    let (new, owner) = open(&path);
    try_write(&new, owner, "new").unwrap();
    let files = files_of_log(&path);
    let error = opened.try_write("behind").unwrap_err();
    assert!(matches!(error, StoreError::FolderMoved { .. }), "{error}");
    let error = opened.try_write("behind").unwrap_err();
    assert!(matches!(error, StoreError::Poisoned { .. }), "{error}");
    let error = opened.store.inner.checkpoint().unwrap_err();
    assert!(matches!(error, StoreError::Poisoned { .. }), "{error}");
    let Opened { store, folder: _folder, .. } = opened;
    drop(store);
    assert_eq!(files_of_log(&path), files, "the new folder is not touched");
    try_write(&new, owner, "newer").unwrap();
    drop(new);
    for (path, wanted) in [(&path, ["new", "newer"]), (&moved, ["before", "before"])] {
        let store = SledStore::open(path).unwrap();
        assert!(wanted.iter().all(|wanted| store.instance(&id(wanted)).unwrap().is_some()));
    }
}

#[test]
fn closing_a_moved_folder_leaves_its_replacement_alone() {
    let opened = Opened::in_hub();
    opened.try_write("before").unwrap();
    let (path, moved) = (opened.path(), opened.folder.path().join("moved"));
    fs::rename(&path, &moved).unwrap();
    let (new, owner) = open(&path);
    try_write(&new, owner, "new").unwrap();
    let files = files_of_log(&path);
    let Opened { store, folder: _folder, .. } = opened;
    drop(store);
    assert_eq!(files_of_log(&path), files);
    assert!(SledStore::open(&moved).unwrap().instance(&id("before")).unwrap().is_some());
}

#[test]
fn no_commit_is_acknowledged_into_a_removed_file() {
    for what in ["hub", "hub/log"] {
        let opened = Opened::in_hub();
        opened.try_write("before").unwrap();
        fs::remove_dir_all(opened.folder.path().join(what)).unwrap();
        let error = opened.try_write("behind").unwrap_err();
        assert!(matches!(error, StoreError::FolderMoved { .. }), "{error}");
        assert!(error.to_string().contains("put it back"), "{error}");
    }
    let opened = Opened::in_hub();
    for file in files_of_log(&opened.path()) {
        fs::remove_file(file).unwrap();
    }
    let error = opened.try_write("behind").unwrap_err();
    assert!(matches!(error, StoreError::FolderMoved { .. }), "{error}");
}

#[test]
fn sled_files_that_another_process_has_locked_are_in_use() {
    let opened = Opened::in_hub();
    let path = opened.path();
    let Opened { store, folder: _folder, .. } = opened;
    drop(store);
    let db = fs::File::open(path.join("sled/db")).unwrap();
    db.lock().unwrap();
    let error = SledStore::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::InUse { owner: None, .. }), "{error}");
    drop(db);
    SledStore::open(&path).unwrap();
}

#[test]
fn a_missing_part_is_named() {
    for part in ["log", "sled"] {
        let opened = Opened::in_hub();
        opened.try_write("before").unwrap();
        let path = opened.path();
        let Opened { store, folder: _folder, .. } = opened;
        drop(store);
        fs::remove_dir_all(path.join(part)).unwrap();
        for _again in 0..2 {
            let error = SledStore::open(&path).unwrap_err();
            assert!(matches!(error, StoreError::LogDamaged { .. }), "{part}: {error}");
        }
        let found = SledStore::read_only(&path).unwrap();
        assert!(matches!(found.damage(), [StoreError::LogDamaged { .. }]), "{part}");
    }
}

#[cfg(unix)]
#[test]
fn the_copy_for_reading_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let opened = Opened::in_hub();
    opened.try_write("before").unwrap();
    let path = opened.path();
    let Opened { store, folder: _folder, .. } = opened;
    drop(store);
    let found = SledStore::read_only(&path).unwrap();
    assert!(found.instance(&id("before")).unwrap().is_some());
    let copy = &found.salvage.as_ref().unwrap().copy.0;
    assert_eq!(fs::metadata(copy).unwrap().permissions().mode() & 0o777, 0o700);
}

/// The mark only tells damage from what a crash has torn.
#[test]
fn a_folder_without_a_mark_opens_with_its_whole_content() {
    let opened = Opened::in_hub();
    opened.try_write("before").unwrap();
    let left = copy(&opened.path());
    fs::remove_file(left.path().join("log/mark")).unwrap();
    assert!(SledStore::open(left.path()).unwrap().instance(&id("before")).unwrap().is_some());
}

#[test]
fn files_of_the_wrong_kind_are_named() {
    for name in ["lock", "log/mark", "log/next"] {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(name)).unwrap();
        let error = SledStore::open(folder.path()).unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }), "{name}: {error}");
    }
    for name in ["log", "sled"] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), "a file").unwrap();
        let error = SledStore::open(folder.path()).unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }), "{name}: {error}");
    }
}

#[cfg(unix)]
#[test]
fn links_to_the_parts_of_a_folder_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, elsewhere) = (folder.path().join("hub"), folder.path().join("elsewhere"));
    fs::create_dir(&hub).unwrap();
    for part in ["log", "sled"] {
        fs::create_dir_all(elsewhere.join(part)).unwrap();
        std::os::unix::fs::symlink(elsewhere.join(part), hub.join(part)).unwrap();
    }
    let (store, owner) = open(&hub);
    try_write(&store, owner, "linked").unwrap();
    drop(store);
    assert!(SledStore::open(&hub).unwrap().instance(&id("linked")).unwrap().is_some());
    assert!(elsewhere.join("sled/db").exists());
}
