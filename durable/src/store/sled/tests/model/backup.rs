//! Backups between whose steps the store changes: each is the state after its last frame.

use std::path::Path;

use super::*;
use crate::store::BackupReport;
use crate::store::sled::backup::{self, Steps};

impl Model {
    /// Makes a backup while other work continues, and compares it with the state at that moment.
    pub(super) fn backup(&mut self) {
        let before = self.frames.len() as u64;
        let folder = tempfile::tempdir().unwrap();
        let report = self.write_backup(folder.path());
        assert!((before..=self.frames.len() as u64).contains(&report.last_commit));
        self.compare();
        // Completes a checkpoint that was left incomplete.
        self.store().inner.checkpoint().unwrap();
        let mut restored = self.restored(folder, &report);
        assert_eq!(report.instances, restored.records.len() as u64);
        assert_eq!(report.messages, restored.messages.len() as u64);
        restored.compare();
        for _again in 0..4 {
            restored.commit();
        }
        restored.store().inner.checkpoint().unwrap();
        restored.compare();
        restored.reopen(false);
        restored.compare();
    }

    fn write_backup(&mut self, to: &Path) -> BackupReport {
        let inner = Arc::clone(&self.store().inner);
        let bytes = [2_000, 10_000, 50_000][usize::try_from(self.random.below(3)).unwrap()];
        let steps = Steps { bytes, keys: 6, synced: 100_000 };
        let (model, left) = (RefCell::new(self), Cell::new(30));
        let between = || {
            if left.get() > 0 && model.borrow_mut().work() {
                left.set(left.get() - 1);
            }
        };
        backup::write(&inner, to, steps, &between).unwrap()
    }

    /// Anything that may happen to an open store; `false` if nothing did.
    fn work(&mut self) -> bool {
        match self.random.below(24) {
            0 => self.store().inner.checkpoint().unwrap(),
            1 => self.part_of_checkpoint(),
            2 => self.claim(),
            3..8 => self.commit(),
            _ => return false,
        }
        true
    }

    /// Begins a checkpoint and leaves it incomplete, so that a backup reads a tree in the midst of
    /// one.
    fn part_of_checkpoint(&mut self) {
        let left = Cell::new(self.random.below(6));
        let inner = &self.store().inner;
        let is_incomplete = inner.view().layers.older.is_some();
        if is_incomplete {
            return inner.checkpoint().unwrap();
        }
        let Some(overlay) = inner.freeze().unwrap() else { return };
        let stop = |_entries, _bytes| match left.get() {
            0 => Err(StoreError::damaged("incomplete")),
            more => {
                left.set(more - 1);
                Ok(())
            }
        };
        let _incomplete = checkpoint::write(inner.base(), &overlay, stop);
    }

    fn claim(&mut self) {
        let number = u16::try_from(self.random.below(PARTITIONS.into())).unwrap();
        let epoch = self.memory.claim(PartitionId(number)).unwrap();
        assert_eq!(self.store().claim(PartitionId(number)).unwrap(), epoch);
        self.owners[usize::from(number)].1 = epoch;
        self.frames.push(Written::Claim(PartitionId(number)));
    }

    /// A model of the backup in this folder.
    fn restored(&self, folder: TempDir, report: &BackupReport) -> Self {
        assert_eq!(report.path, folder.path());
        let memory = MemoryStore::default();
        let mut owners = self.owners.clone();
        for written in &self.frames[..usize::try_from(report.last_commit).unwrap()] {
            match written {
                Written::Commit(commit) => memory.commit(commit).unwrap(),
                Written::Claim(partition) => {
                    owners[usize::from(partition.0)].1 = memory.claim(*partition).unwrap();
                }
            }
        }
        let records = IDS.map(id).into_iter().filter_map(|id| {
            let record = memory.instance(&id).unwrap()?;
            Some((id, record))
        });
        let records = records.collect();
        let of_partition = |partition| {
            let found = memory.messages(partition, None, 0..u64::MAX, usize::MAX).unwrap();
            found.into_iter().map(move |(_, message)| (partition, message.id))
        };
        let messages = (0..PARTITIONS).map(PartitionId).flat_map(of_partition).collect();
        let store = Some(SledStore::open(folder.path()).unwrap());
        let random = Random(self.random.0);
        let frames = Vec::new();
        let positions = RefCell::default();
        let numbers = self.numbers;
        Self {
            random,
            folder,
            store,
            memory,
            owners,
            records,
            messages,
            positions,
            numbers,
            frames,
        }
    }
}
