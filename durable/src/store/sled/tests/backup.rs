//! Backups: where they are written, what they refuse, and what they leave.

use std::cell::Cell;

use super::*;
use crate::store::sled::backup::{self, Steps};

fn names_in(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_backup_opens_as_a_store_and_can_be_backed_up_itself() {
    let opened = Opened::new();
    opened.store.create(&HubRecord::new(4, at(7))).unwrap();
    opened.write(vec![episode("order-17", 20_000), episode("order-18", 0)]);
    let above = tempfile::tempdir().unwrap();
    let (first, second) = (above.path().join("new/first"), above.path().join("second"));
    let report = opened.store.backup(&first).unwrap();
    assert_eq!((report.path.as_path(), report.instances, report.last_commit), (&*first, 2, 3));
    assert!(report.bytes > 10_000);
    opened.write(vec![episode("order-19", 0)]);
    let restored = SledStore::open(&first).unwrap();
    assert_eq!(restored.create(&HubRecord::new(1, at(9))).unwrap().partitions, 4);
    assert_eq!(restored.claim(PARTITION).unwrap(), Epoch(opened.owner.1.0 + 1));
    let found = |store: &SledStore, of: &str| store.instance(&id(of)).unwrap().is_some();
    assert!(found(&restored, "order-17") && !found(&restored, "order-19"));
    restored.backup(&second).unwrap();
    assert!(found(&SledStore::open(&second).unwrap(), "order-17"));
    assert_eq!(names_in(above.path()), ["new", "second"]);
}

#[test]
fn a_closed_folder_is_backed_up_without_being_changed() {
    let opened = Opened::new();
    opened.write(vec![episode("order-17", 20_000)]);
    let left = copy(opened.folder.path());
    let files = |path: &Path| names_in(&path.join("log"));
    let before = files(left.path());
    let above = tempfile::tempdir().unwrap();
    let to = above.path().join("backup");
    let report = SledStore::read_only(left.path()).unwrap().backup(&to).unwrap();
    assert_eq!((report.instances, report.last_commit), (1, 2));
    assert_eq!(files(left.path()), before);
    assert!(SledStore::open(&to).unwrap().instance(&id("order-17")).unwrap().is_some());
}

#[test]
fn only_a_new_or_empty_folder_is_written() {
    let opened = Opened::new();
    let above = tempfile::tempdir().unwrap();
    let backup = |name: &str| opened.store.backup(&above.path().join(name));
    fs::create_dir(above.path().join("empty")).unwrap();
    backup("empty").unwrap();
    let error = backup("empty").unwrap_err();
    assert!(error.to_string().contains("it is not empty; choose a folder"), "{error}");
    fs::write(above.path().join("file"), "text").unwrap();
    let error = backup("file").unwrap_err();
    assert!(matches!(error, StoreError::BackupTarget { .. }), "{error}");
    fs::create_dir(above.path().join("other.partial")).unwrap();
    fs::write(above.path().join("other.partial/text"), "text").unwrap();
    let error = backup("other").unwrap_err();
    assert!(error.to_string().contains("does not belong to a backup"), "{error}");
    assert!(above.path().join("other.partial/text").exists());
    let error = opened.store.backup(Path::new("/")).unwrap_err();
    assert!(matches!(error, StoreError::BackupTarget { .. }), "{error}");
}

#[test]
fn what_a_killed_backup_left_is_replaced() {
    let opened = Opened::new();
    let above = tempfile::tempdir().unwrap();
    let partial = above.path().join("backup.partial");
    fs::create_dir_all(partial.join("sled")).unwrap();
    fs::write(partial.join("sled/db"), "half of a backup").unwrap();
    opened.store.backup(&above.path().join("backup")).unwrap();
    assert_eq!(names_in(above.path()), ["backup"]);
}

#[test]
fn two_backups_to_one_folder_do_not_mix() {
    let opened = Opened::new();
    let above = tempfile::tempdir().unwrap();
    let to = above.path().join("backup");
    let is_refused = Cell::new(false);
    let again = || {
        let error = opened.store.backup(&to).unwrap_err();
        is_refused.set(matches!(error, StoreError::InUse { .. }));
    };
    backup::write(&opened.store.inner, &to, Steps::default(), &again).unwrap();
    assert!(is_refused.get());
}

#[test]
fn a_backup_ends_with_its_hub_and_leaves_nothing() {
    let opened = Opened::new();
    let above = tempfile::tempdir().unwrap();
    let to = above.path().join("backup");
    let stop = || opened.store.give_up();
    let error = backup::write(&opened.store.inner, &to, Steps::default(), &stop).unwrap_err();
    assert!(matches!(error, StoreError::BackupStopped { .. }), "{error}");
    assert!(names_in(above.path()).is_empty());
}

#[test]
fn the_log_is_kept_for_a_backup_and_deleted_after_it() {
    let opened = Opened::new();
    let files = || names_in(&opened.folder.path().join("log"));
    let orders = Cell::new(0);
    let fill = || {
        for _order in 0..12 {
            orders.set(orders.get() + 1);
            opened.write(vec![episode(&format!("order-{}", orders.get()), 300_000)]);
        }
        opened.store.inner.checkpoint().unwrap();
    };
    fill();
    let one = files().len();
    let above = tempfile::tempdir().unwrap();
    let to = above.path().join("backup");
    let (steps, most) = (Cell::new(0), Cell::new(0));
    let between = || {
        if steps.replace(steps.get() + 1) < 4 {
            fill();
            most.set(files().len());
        }
    };
    backup::write(&opened.store.inner, &to, Steps::default(), &between).unwrap();
    assert!(most.get() > one, "{} files", most.get());
    assert!(files().len() <= one, "{:?}", files());
    SledStore::open(&to).unwrap();
}

#[test]
fn a_lost_write_of_a_backup_is_noticed_when_it_is_opened() {
    let opened = Opened::new();
    let above = tempfile::tempdir().unwrap();
    let (early, late) = (above.path().join("early"), above.path().join("late"));
    opened.store.backup(&early).unwrap();
    opened.write(vec![episode("order-17", 0)]);
    opened.store.backup(&late).unwrap();
    fs::remove_dir_all(late.join("sled")).unwrap();
    fs::rename(early.join("sled"), late.join("sled")).unwrap();
    let error = SledStore::open(&late).unwrap_err();
    assert!(matches!(error, StoreError::LogDamaged { .. }), "{error}");
    assert!(error.to_string().contains("`durable store backup`"), "{error}");
}

#[test]
fn a_damaged_store_is_not_backed_up() {
    let opened = Opened::new();
    opened.write(vec![episode("order-17", 0)]);
    let left = copy(opened.folder.path());
    fs::remove_dir_all(left.path().join("log")).unwrap();
    fs::create_dir(left.path().join("log")).unwrap();
    fs::copy(opened.folder.path().join("log/mark"), left.path().join("log/mark")).unwrap();
    let above = tempfile::tempdir().unwrap();
    let store = SledStore::read_only(left.path()).unwrap();
    let error = store.backup(&above.path().join("backup")).unwrap_err();
    assert!(matches!(error, StoreError::LogDamaged { .. }), "{error}");
    assert!(names_in(above.path()).is_empty());
}
