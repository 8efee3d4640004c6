//! Folders of releases with another format: an older format is raised to this release's, a newer
//! one is refused by name, wherever its first trace is found.

use super::*;

const NEWER: u8 = FORMAT_VERSION + 1;

fn record(format: u8) -> HubRecord {
    HubRecord { format, partitions: 4, created_at: at(0) }
}

/// The format in the hub's record in the tree of a folder.
fn format_in(path: &Path) -> u8 {
    let store = SledStore::open(path).unwrap();
    store.inner.checkpoint().unwrap();
    store.create(&record(200)).unwrap().format
}

/// Changes the content of the newest file of the log.
fn change_log(path: &Path, change: impl FnOnce(&mut [u8])) {
    let entries = fs::read_dir(path.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "log");
    let file = entries.filter(is_segment).max().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

fn assert_unknown(path: &Path) {
    let error = SledStore::open(path).unwrap_err();
    let StoreError::UnknownFormat { location, found, known } = &error else {
        panic!("{error}");
    };
    assert_eq!((Path::new(location), *found, *known), (path, NEWER, FORMAT_VERSION));
    assert!(error.to_string().contains("open it with a newer release"), "{error}");
    let damage = SledStore::read_only(path).unwrap();
    let is_unknown = |damage: &StoreError| matches!(damage, StoreError::UnknownFormat { .. });
    assert!(damage.damage().iter().any(is_unknown), "{:?}", damage.damage());
}

#[test]
fn the_format_of_an_older_hub_is_raised_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let older = record(FORMAT_VERSION - 1);
    assert_eq!(SledStore::open(folder.path()).unwrap().create(&older).unwrap(), older);
    assert_eq!(format_in(folder.path()), FORMAT_VERSION);
    assert_eq!(format_in(folder.path()), FORMAT_VERSION);
}

#[test]
fn a_newer_format_is_refused_by_the_record_in_the_tree() {
    let folder = tempfile::tempdir().unwrap();
    SledStore::open(folder.path()).unwrap().inner.create(&record(NEWER)).unwrap();
    assert_unknown(folder.path());
}

#[test]
fn a_newer_format_is_refused_by_the_record_in_the_log() {
    let opened = Opened::new();
    opened.store.inner.create(&record(NEWER)).unwrap();
    assert_unknown(copy(opened.folder.path()).path());
}

#[test]
fn a_newer_format_is_refused_by_the_head_of_a_file_of_the_log() {
    let opened = Opened::new();
    let left = copy(opened.folder.path());
    change_log(left.path(), |bytes| {
        bytes[7] = NEWER;
        let crc = crc32fast::hash(&bytes[..16]);
        bytes[16..20].copy_from_slice(&crc.to_be_bytes());
    });
    assert_unknown(left.path());
}

#[test]
fn a_newer_format_is_refused_by_a_frame_of_the_log() {
    let opened = Opened::new();
    let left = copy(opened.folder.path());
    change_log(left.path(), |bytes| {
        let frame = &mut bytes[32..];
        let length = u32::from_be_bytes(*frame[4..].first_chunk().unwrap());
        frame[24] = NEWER;
        let end = 24 + usize::try_from(length).unwrap();
        let crc = crc32fast::hash(&frame[4..end]);
        frame[..4].copy_from_slice(&crc.to_be_bytes());
    });
    assert_unknown(left.path());
}

/// Without its checksum, a format that is not known may be damage as well.
#[test]
fn a_flipped_format_is_damage() {
    let opened = Opened::new();
    let left = copy(opened.folder.path());
    change_log(left.path(), |bytes| bytes[7] = NEWER);
    let error = SledStore::open(left.path()).unwrap_err();
    assert!(matches!(error, StoreError::LogDamaged { .. }), "{error}");
}
