//! The embedded store: a folder with a sled database in it.
//!
//! A commit is one `sled::Batch`, so it is atomic; it is durable because [`disk`] syncs sled's file
//! itself: `flush()` of sled 0.34 is not an fsync on Linux. What is assumed of sled stands in
//! `docs/design.md`.
//!
//! The place of the commit log that is to come is between [`SledStore::commit`] and the tree: what a
//! commit does here, a checkpoint will do there.
//!
//! Read next: `keys.rs` (the layout), `batch.rs` (from a commit to a batch), `values.rs` (values in
//! pieces), `disk.rs` (folder and sync).

mod batch;
mod disk;
mod index;
mod keys;
mod records;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sled::{Batch, Tree};

use self::batch::Before;
use self::disk::Disk;
use self::records::Found;
use super::{Commit, Epoch, InstanceFilter, InstancePage, PartitionState, Store, StoreError};
use crate::panics;
use crate::protocol::{
    ExecutionId, FORMAT_VERSION, HistoryEvent, HubRecord, InstanceId, InstanceRecord, MessageId,
    PartitionId, TaskMessage, Timestamp, encode,
};

/// The embedded store: a folder, owned by one process at a time.
///
/// ```standalone_crate
/// # use durable::prelude::*;
/// use durable::store::SledStore;
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path();
/// let hub = TaskHub::builder().store(SledStore::open(path)?).open().await?;
/// # hub.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SledStore {
    tree: Tree,
    writer: Mutex<Writer>,
    /// Counts the commits that remove pieces of values, once before each and once behind it.
    cuts: AtomicU64,
    /// Dropped after the tree, since it waits for sled to be gone and then unlocks the folder.
    disk: Disk,
}

/// What only the thread that commits needs.
#[derive(Debug, Default)]
struct Writer {
    epochs: BTreeMap<PartitionId, Epoch>,
    next_position: u64,
    /// The positions of messages that nobody has consumed.
    messages: BTreeMap<(PartitionId, MessageId), u64>,
    poisoned: Option<String>,
}

impl SledStore {
    /// Opens the folder at `path`, and creates what is missing of it.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if it is open already, [`StoreError::UnknownFormat`] if a newer
    /// release wrote it, [`StoreError::Damaged`] if it cannot be read, [`StoreError::Io`] for
    /// whatever the system refuses.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let (disk, tree) = Disk::open(path.as_ref())?;
        let mut store = Self { tree, writer: Mutex::default(), cuts: AtomicU64::new(0), disk };
        store.check_format()?;
        let writer = store.load_writer()?;
        store.writer = Mutex::new(writer);
        Ok(store)
    }

    fn check_format(&self) -> Result<(), StoreError> {
        match self.hub()? {
            Some(hub) if hub.format > FORMAT_VERSION => Err(StoreError::UnknownFormat {
                path: self.disk.path().to_owned(),
                found: hub.format,
                known: FORMAT_VERSION,
            }),
            _ => Ok(()),
        }
    }

    fn hub(&self) -> Result<Option<HubRecord>, StoreError> {
        let Some(bytes) = self.tree.get(keys::HUB).map_err(disk::sled_error)? else {
            return Ok(None);
        };
        // The format must be known before anything else is read, and stands in the first byte.
        match bytes.first() {
            Some(&found) if found > FORMAT_VERSION => Err(StoreError::UnknownFormat {
                path: self.disk.path().to_owned(),
                found,
                known: FORMAT_VERSION,
            }),
            _ => values::read("the record of the hub", &bytes).map(Some),
        }
    }

    fn load_writer(&self) -> Result<Writer, StoreError> {
        let mut writer = Writer::default();
        for found in self.tree.scan_prefix(b"p") {
            let (key, value) = found.map_err(disk::sled_error)?;
            if let [b'p', high, low] = *key {
                let partition = PartitionId(u16::from_be_bytes([high, low]));
                writer.epochs.insert(partition, values::read("an epoch", &value)?);
            }
        }
        for partition in self.partitions_with_messages()? {
            for (position, message) in self.messages(partition)? {
                writer.messages.insert((partition, message.id), position);
                writer.next_position = writer.next_position.max(position + 1);
            }
        }
        Ok(writer)
    }

    fn partitions_with_messages(&self) -> Result<Vec<PartitionId>, StoreError> {
        let mut partitions = Vec::new();
        let mut next = Some(0);
        while let Some(from) = next.map(PartitionId) {
            let found = self.tree.range(keys::messages(from)..).keys().next();
            let found = found.transpose().map_err(disk::sled_error)?;
            let Some([b'q', high, low, ..]) = found.as_deref() else { break };
            let found = u16::from_be_bytes([*high, *low]);
            partitions.push(PartitionId(found));
            next = found.checked_add(1);
        }
        Ok(partitions)
    }

    fn messages(&self, partition: PartitionId) -> Result<Vec<(u64, TaskMessage)>, StoreError> {
        values::scan(&self.tree, &keys::messages(partition), 0)?
            .into_iter()
            .map(|(position, bytes)| Ok((position, values::read("a message", &bytes)?)))
            .collect()
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies a batch and makes it durable. If that fails, it is not certain what is on the disk,
    /// so nothing more is accepted.
    fn apply(&self, writer: &mut Writer, batch: Batch) -> Result<(), StoreError> {
        if let Some(cause) = &writer.poisoned {
            return Err(StoreError::Poisoned { cause: cause.clone() });
        }
        self.disk.check_room()?;
        let applied = panics::catch(|| {
            self.tree.apply_batch(batch).map_err(disk::sled_error)?;
            self.disk.sync()
        });
        let applied = applied.unwrap_or_else(|panic| Err(StoreError::damaged(panic.message)));
        applied.inspect_err(|error| writer.poisoned = Some(error.to_string()))
    }

    /// How many events an execution has, of an instance of which this was found.
    fn history_len(
        &self,
        id: &InstanceId,
        execution: ExecutionId,
        found: Option<&Found>,
    ) -> Result<u64, StoreError> {
        match found {
            None => Ok(0),
            Some(Found { record, .. }) if record.execution_id == execution => {
                Ok(record.history_len)
            }
            // The record speaks of another execution; this one may have a history all the same.
            Some(_) => Ok(self.events(id, execution, 0)?.len() as u64),
        }
    }

    fn events(
        &self,
        id: &InstanceId,
        execution: ExecutionId,
        from: u64,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        let mut events = Vec::new();
        for (_first, bytes) in values::scan(&self.tree, &keys::history(id, execution), from)? {
            let what = format!("the history of `{id}`");
            events.extend(values::read::<Vec<HistoryEvent>>(&what, &bytes)?);
        }
        Ok(events)
    }

    /// Reads what is in several pieces. A scan sees what is committed meanwhile in part: that does
    /// no harm where values are only added, but what a commit has cut is read again, with no commit
    /// beside it.
    fn uncut<T>(&self, read: impl Fn() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let before = self.cuts.load(Ordering::SeqCst);
        let found = read();
        let is_quiet = before.is_multiple_of(2) && before == self.cuts.load(Ordering::SeqCst);
        if is_quiet && found.is_ok() {
            return found;
        }
        let _writer = self.writer();
        read()
    }
}

impl Store for SledStore {
    fn create(&self, hub: &HubRecord) -> Result<HubRecord, StoreError> {
        let mut writer = self.writer();
        if let Some(found) = self.hub()? {
            return Ok(found);
        }
        let mut batch = Batch::default();
        batch.insert(keys::HUB, encoded(hub)?);
        self.apply(&mut writer, batch)?;
        Ok(hub.clone())
    }

    fn claim(&self, partition: PartitionId) -> Result<Epoch, StoreError> {
        let mut writer = self.writer();
        let epoch = Epoch(writer.epochs.get(&partition).map_or(1, |epoch| epoch.0 + 1));
        let mut batch = Batch::default();
        batch.insert(keys::partition(partition), encoded(&epoch)?);
        self.apply(&mut writer, batch)?;
        writer.epochs.insert(partition, epoch);
        Ok(epoch)
    }

    fn load(&self, partition: PartitionId) -> Result<PartitionState, StoreError> {
        // A scan sees what is committed meanwhile in part, so nothing may be.
        let _writer = self.writer();
        let messages = self.messages(partition)?;
        Ok(PartitionState {
            active: index::active(&self.tree, partition)?,
            messages: messages.into_iter().map(|(_position, message)| message).collect(),
        })
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let before = Before::read(&self.tree, commit)?;
        commit.check(
            |partition| writer.epochs.get(&partition).copied(),
            |instance, execution| self.history_len(instance, execution, before.get(instance)),
        )?;
        let mut batch = Batch::default();
        batch::put_episodes(&self.tree, &mut batch, commit, &before)?;
        batch::purge(&self.tree, &mut batch, commit, &before)?;
        for consumed in &commit.consumed {
            if let Some(position) = writer.messages.get(consumed) {
                values::remove(&self.tree, &mut batch, &keys::message(consumed.0, *position))?;
            }
        }
        for (position, (partition, message)) in (writer.next_position..).zip(&commit.messages) {
            values::put(&mut batch, &keys::message(*partition, position), &encoded(message)?);
        }
        let cuts = u64::from(before.is_cut_by(commit));
        self.cuts.fetch_add(cuts, Ordering::SeqCst);
        let applied = self.apply(&mut writer, batch);
        self.cuts.fetch_add(cuts, Ordering::SeqCst);
        applied?;
        for consumed in &commit.consumed {
            writer.messages.remove(consumed);
        }
        for (partition, message) in &commit.messages {
            let position = writer.next_position;
            writer.next_position += 1;
            writer.messages.insert((*partition, message.id), position);
        }
        Ok(())
    }

    fn instance(&self, instance: &InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
        let read = || records::get(&self.tree, instance);
        let found = match read() {
            // One piece is of one moment, so who asks how far an instance is waits for no commit.
            Ok(found) if found.as_ref().is_none_or(|found| !found.is_long) => found,
            _ => self.uncut(read)?,
        };
        Ok(found.map(|found| found.record))
    }

    fn due(
        &self,
        partition: PartitionId,
        after: Option<&(Timestamp, InstanceId)>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
        // As in `load`. What is found is limited, so commits do not wait for long.
        let _writer = self.writer();
        index::due(&self.tree, partition, after, until, limit)
    }

    fn instances(
        &self,
        filter: &InstanceFilter,
        after: Option<&InstanceId>,
        limit: usize,
    ) -> Result<InstancePage, StoreError> {
        self.page(filter, after, limit)
    }

    fn history(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        from: u64,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        self.uncut(|| self.events(instance, execution, from))
    }
}

fn encoded(value: &impl serde::Serialize) -> Result<Vec<u8>, StoreError> {
    encode(value).map_err(|error| StoreError::damaged(format!("cannot be written: {error}")))
}
