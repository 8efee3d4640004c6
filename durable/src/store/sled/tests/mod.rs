//! Behavior that the trait does not show: keys and files, and the result of an interrupted
//! checkpoint.

mod backup;
mod by_creation;
mod folders;
mod formats;
mod histories;
mod keys;
mod model;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::protocol::{EventKind, HistoryEvent, Json};
use crate::store::EpisodeWrite;

const PARTITION: PartitionId = PartitionId(3);

/// An open store with its folder.
struct Opened {
    store: SledStore,
    owner: (PartitionId, Epoch),
    folder: TempDir,
}

impl Opened {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SledStore::open(folder.path()).unwrap();
        let epoch = store.claim(PARTITION).unwrap();
        Self { store, owner: (PARTITION, epoch), folder }
    }

    fn write(&self, episodes: Vec<EpisodeWrite>) {
        let owners = vec![self.owner];
        self.store.commit(&Commit { owners, episodes, ..Commit::default() }).unwrap();
    }

    fn purge(&self, ids: &[InstanceId]) {
        let owners = vec![self.owner];
        let purged = ids.iter().map(|id| (PARTITION, id.clone())).collect();
        self.store.commit(&Commit { owners, purged, ..Commit::default() }).unwrap();
    }

    /// Number of keys of each kind in the tree, except the hub's, after a complete checkpoint.
    fn keys(&self) -> String {
        self.store.inner.checkpoint().unwrap();
        let keys = self.store.inner.view().base.tree.iter().keys();
        let kinds = keys.map(|key| char::from(key.unwrap()[0]));
        kinds.filter(|kind| !"lnp".contains(*kind)).collect()
    }

    /// Values that sled has put into files of their own.
    fn files_of_large_values(&self) -> usize {
        fs::read_dir(self.folder.path().join("sled/blobs")).map_or(0, Iterator::count)
    }
}

fn id(id: &str) -> InstanceId {
    InstanceId::try_from(id.to_owned()).unwrap()
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

/// Text that cannot be made smaller by much.
fn noise(length: usize, seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + u8::try_from(state % 90).unwrap_or_default())
    };
    (0..length).map(|_| next()).filter(|letter| !"\"\\".contains(*letter)).collect()
}

/// An instance that is active and due, with one event.
fn episode(instance: &str, custom_status: usize) -> EpisodeWrite {
    let execution = ExecutionId::from_u128(1);
    let mut record = InstanceRecord::new(id(instance), execution, "checkout", None, at(0));
    record.active = true;
    record.next_due = Some(at(17));
    record.history_len = 1;
    let status = Json::trusted(format!("\"{}\"", noise(custom_status, 7)));
    record.custom_status = (custom_status > 0).then_some(status);
    let event = HistoryEvent::new(at(0), EventKind::OrchestratorStarted);
    EpisodeWrite { partition: PARTITION, record, events: vec![event], replaces: None }
}

/// The next episode of the same history.
fn next(before: &EpisodeWrite, change: impl FnOnce(&mut InstanceRecord)) -> EpisodeWrite {
    let mut next = before.clone();
    next.record.last_episode = next.record.history_len;
    next.record.history_len += 1;
    next.replaces = None;
    change(&mut next.record);
    next
}

/// A folder as it is now, as a killed process would leave it.
fn copy(from: &Path) -> TempDir {
    fn copy_into(from: &Path, to: &Path) {
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let to = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                fs::create_dir(&to).unwrap();
                copy_into(&entry.path(), &to);
            } else {
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    let copy = tempfile::tempdir().unwrap();
    copy_into(from, copy.path());
    copy
}
