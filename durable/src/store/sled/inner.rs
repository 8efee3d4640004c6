//! The open store, shared by its users and the thread that makes checkpoints.
//!
//! Rules:
//! 1. A commit holds the writer, so commits run one at a time, and no new overlay begins in the
//!    middle of one.
//! 2. A commit is applied to the newest overlay once its frame is as durable as requested: readers
//!    never see anything less durable.
//! 3. The changes applied are decoded from the frame, so recovery after a crash applies the same
//!    ones.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};

use super::base::Base;
use super::body::{self, Body, Head};
use super::checkpoint::Checkpoint;
use super::history;
use super::log::Log;
use super::log::frame::Frame;
use super::overlay::Overlay;
use super::pace::Pace;
use super::room::{FREE_TO_WRITE, Room};
use super::sizes::CheckpointSizes;
use super::values;
use super::view::{LOOKED_AT_ONCE, Layers, View};
use crate::protocol::{HubRecord, InstanceId, MessageId, PartitionId, TaskMessage};
use crate::store::{Commit, Epoch, StoreError, Usage, chain};

#[derive(Debug)]
pub(super) struct Inner {
    writer: Mutex<Writer>,
    layers: RwLock<Layers>,
    base: Base,
    sizes: CheckpointSizes,
    pub(super) room: Arc<Room>,
    pub(super) pace: Pace,
    log_bytes: AtomicU64,
    tree_bytes: AtomicU64,
}

/// What only the committing thread uses.
#[derive(Debug)]
pub(super) struct Writer {
    /// `None` if the store was opened for reading.
    log: Option<Log>,
    epochs: BTreeMap<PartitionId, Epoch>,
    next_position: u64,
    /// The positions of unconsumed messages.
    messages: Positions,
    poisoned: Option<String>,
}

type Positions = BTreeMap<(PartitionId, MessageId), u64>;

/// The heads, in the layers below, of the instances that a commit is the first to touch in the
/// newest overlay.
type Before<'a> = BTreeMap<&'a InstanceId, Option<(u64, Head)>>;

impl Writer {
    /// Rejects all further writes, because it is uncertain what is on disk.
    fn poison(&mut self, cause: &StoreError) {
        self.poisoned.get_or_insert_with(|| chain(cause));
    }

    /// The log, if it is writable.
    fn log(&mut self) -> Result<&mut Log, StoreError> {
        match (&self.poisoned, &mut self.log) {
            (Some(cause), _) => Err(StoreError::Poisoned { cause: cause.clone() }),
            (None, Some(log)) => Ok(log),
            (None, None) => Err(StoreError::ReadOnly),
        }
    }
}

impl Inner {
    /// A store with this tree and the changes that only the log contains.
    pub(super) fn new(
        base: Base,
        newest: Overlay,
        log: Option<Log>,
        sizes: CheckpointSizes,
        room: Arc<Room>,
        pace: Pace,
    ) -> Result<Self, StoreError> {
        pace.grows(newest.bytes);
        let layers = RwLock::new(Layers { newest, older: None });
        let (epochs, next_position, messages) = {
            let layers = layers.read().unwrap_or_else(PoisonError::into_inner);
            let view = View { layers, base: &base };
            // A read-only store needs no positions, so unreadable messages do not matter.
            let (positions, next_position) =
                if log.is_some() { positions(&view)? } else { (BTreeMap::new(), 0) };
            (view.epochs()?, next_position, positions)
        };
        let writer = Writer { log, epochs, next_position, messages, poisoned: None };
        let log_bytes = AtomicU64::new(writer.log.as_ref().map_or(0, Log::bytes) as u64);
        let tree_bytes = AtomicU64::new(base.disk_bytes());
        let writer = Mutex::new(writer);
        Ok(Self { writer, layers, base, sizes, room, pace, log_bytes, tree_bytes })
    }

    /// The writer, which rejects all writes once sled has failed.
    fn writer(&self) -> MutexGuard<'_, Writer> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.base.check() {
            writer.poison(&error);
        }
        writer
    }

    pub(super) fn sizes(&self) -> CheckpointSizes {
        self.sizes
    }

    pub(super) fn base(&self) -> &Base {
        &self.base
    }

    pub(super) fn view(&self) -> View<'_> {
        let layers = self.layers.read().unwrap_or_else(PoisonError::into_inner);
        View { layers, base: &self.base }
    }

    fn layers(&self) -> RwLockWriteGuard<'_, Layers> {
        self.layers.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the hub's record, unless it exists.
    pub(super) fn create(&self, hub: &HubRecord) -> Result<(), StoreError> {
        self.room.begin();
        self.pace.resume();
        self.room.until_there_is_room(|| {
            let mut writer = self.writer();
            let is_there = self.view().hub()?.is_some();
            if is_there {
                return Ok(());
            }
            self.append(&mut writer, Body::hub(hub)?, &Before::new())
        })
    }

    /// Replaces the hub's record.
    pub(super) fn write_hub(&self, hub: &HubRecord) -> Result<(), StoreError> {
        self.append(&mut self.writer(), Body::hub(hub)?, &Before::new())
    }

    pub(super) fn claim(&self, partition: PartitionId) -> Result<Epoch, StoreError> {
        self.room.until_there_is_room(|| {
            let mut writer = self.writer();
            let epoch = Epoch(writer.epochs.get(&partition).map_or(1, |epoch| epoch.0 + 1));
            self.append(&mut writer, Body::epoch(partition, epoch), &Before::new())?;
            writer.epochs.insert(partition, epoch);
            Ok(epoch)
        })
    }

    pub(super) fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        self.pace.wait_for_memory();
        // The writer is not held while a commit waits for space, because a checkpoint may free
        // some.
        self.room.until_there_is_room(|| self.commit_now(commit))
    }

    fn commit_now(&self, commit: &Commit) -> Result<(), StoreError> {
        let mut writer = self.writer();
        // A poisoned store reports that before any other error of the commit.
        writer.log()?;
        let before = self.check(&writer, commit)?;
        let next = writer.next_position;
        let positions = |consumed: &_| writer.messages.get(consumed).copied();
        let body = Body::commit(commit, next, positions)?;
        self.append(&mut writer, body, &before)?;
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

    fn check<'a>(&self, writer: &Writer, commit: &'a Commit) -> Result<Before<'a>, StoreError> {
        let view = self.view();
        let mut before = Before::new();
        let written = commit.episodes.iter().map(|episode| &episode.record.instance_id);
        let purged = commit.purged.iter().map(|(_, id)| id);
        for id in written.chain(purged) {
            if !view.layers.newest.instances.contains_key(id) && !before.contains_key(id) {
                before.insert(id, view.head(id)?);
            }
        }
        commit.check(
            |partition| writer.epochs.get(&partition).copied(),
            |id, execution| {
                let head = match before.get(id) {
                    Some(before) => before.as_ref().map(|(_, head)| head),
                    None => view.layers.newest.head(id),
                };
                match head {
                    None => Ok(0),
                    Some(head) if head.execution == execution => Ok(head.history_len),
                    // The head names another execution, but this one may have a history, too.
                    Some(_) => {
                        let blocks = history::of_view(&view, id, execution, 0)?;
                        Ok(blocks.iter().map(|block| u64::from(block.count)).sum())
                    }
                }
            },
        )?;
        Ok(before)
    }

    /// Writes a frame, and applies it once it is durable.
    fn append(
        &self,
        writer: &mut Writer,
        body: Vec<u8>,
        before: &Before<'_>,
    ) -> Result<(), StoreError> {
        let log = writer.log()?;
        let appended = log.append(body);
        self.log_bytes.store(log.bytes() as u64, Ordering::Relaxed);
        let frame = appended.inspect_err(|error| {
            // A commit that found too little space was not written, and is retried.
            if !error.is_transient() {
                writer.poison(error);
            }
        })?;
        let below = |id: &InstanceId| {
            Ok(before.get(id).and_then(Option::as_ref).map(|(sequence, _)| *sequence))
        };
        let mut layers = self.layers();
        apply(&mut layers.newest, &frame, below).inspect_err(|error| writer.poison(error))?;
        self.pace.grows(layers.newest.bytes);
        Ok(())
    }

    /// Moves the newest overlay into the tree, and frees its part of the log.
    ///
    /// # Errors
    /// A [transient](StoreError::is_transient) error if the store gave up waiting for space: the
    /// next checkpoint continues with the same overlay. After any other error the store must be
    /// reopened, because it is uncertain what the tree contains.
    pub(super) fn checkpoint(&self) -> Result<(), StoreError> {
        if let Some(given_up) = self.older()? {
            self.move_to_tree(&given_up)?;
        }
        self.next_overlay()?.map_or(Ok(()), |overlay| self.move_to_tree(&overlay))
    }

    /// The overlay of a checkpoint that gave up.
    pub(super) fn older(&self) -> Result<Option<Arc<Overlay>>, StoreError> {
        self.writer().log()?;
        Ok(self.view().layers.older.clone())
    }

    /// The overlay that the next checkpoint moves to the tree, if there is anything to move.
    pub(super) fn next_overlay(&self) -> Result<Option<Arc<Overlay>>, StoreError> {
        self.room.until_there_is_room(|| self.freeze())
    }

    fn move_to_tree(&self, overlay: &Overlay) -> Result<(), StoreError> {
        let mut checkpoint = Checkpoint::new(self.sizes);
        while self.step(&mut checkpoint, overlay)? {}
        self.settle(overlay)
    }

    /// Writes the next batch of a checkpoint; returns `false` when the tree contains the overlay.
    pub(super) fn step(
        &self,
        checkpoint: &mut Checkpoint,
        overlay: &Overlay,
    ) -> Result<bool, StoreError> {
        checkpoint.step(&self.base, overlay, |entries, bytes| {
            self.pace.moves(entries, overlay.instances.len() + overlay.messages.len());
            self.room.until_there_is_room(|| {
                self.room.check_for(bytes)?;
                self.base.reserve(FREE_TO_WRITE)
            })
        })
    }

    /// Whether the writer and the overlays are unused.
    #[cfg(feature = "testing")]
    pub(super) fn is_free(&self) -> bool {
        self.writer.try_lock().is_ok() && self.layers.try_write().is_ok()
    }

    pub(super) fn poison(&self, cause: &StoreError) {
        self.writer().poison(cause);
    }

    /// Starts a new overlay; returns the previous one, unless it is empty.
    pub(super) fn freeze(&self) -> Result<Option<Arc<Overlay>>, StoreError> {
        let mut writer = self.writer();
        // Synced first, because the tree must never contain what the log may lose.
        let log = writer.log()?;
        log.check()?;
        let synced = log.sync();
        synced.inspect_err(|error| writer.poison(error))?;
        let mut layers = self.layers();
        if layers.older.is_some() {
            let cause = "a checkpoint has not come to its end".to_owned();
            return Err(StoreError::Poisoned { cause });
        }
        if layers.newest.is_empty() {
            return Ok(None);
        }
        let overlay = Arc::new(std::mem::take(&mut layers.newest));
        layers.older = Some(Arc::clone(&overlay));
        self.pace.begins(overlay.bytes);
        Ok(Some(overlay))
    }

    /// The tree now contains the older overlay.
    pub(super) fn settle(&self, overlay: &Overlay) -> Result<(), StoreError> {
        let mut layers = self.layers();
        layers.older = None;
        self.pace.ends(layers.newest.bytes);
        drop(layers);
        let mut writer = self.writer();
        let log = writer.log()?;
        let superseded = log.superseded(overlay.last);
        self.log_bytes.store(log.bytes() as u64, Ordering::Relaxed);
        let folder = log.folder().clone();
        drop(writer);
        Log::remove(&folder, &superseded)?;
        self.tree_bytes.store(self.base.disk_bytes(), Ordering::Relaxed);
        Ok(())
    }

    /// From now on, keeps the frames of the log that the tree does not contain. `None` if the store
    /// was opened for reading.
    pub(super) fn pin_log(&self) -> Result<Option<PinnedLog<'_>>, StoreError> {
        match self.writer().log() {
            Ok(log) => Ok(Some(PinnedLog { inner: self, applied: log.pin() })),
            Err(StoreError::ReadOnly) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn usage(&self) -> Usage {
        let log = self.log_bytes.load(Ordering::Relaxed);
        let tree = self.tree_bytes.load(Ordering::Relaxed);
        let usage = Usage::default().memory_bytes(self.pace.used() as u64).disk_bytes(log + tree);
        usage.figure("log_bytes", log).figure("tree_bytes", tree)
    }

    /// Moves all overlays into the tree, unless the store has failed.
    pub(super) fn close(&self) -> Result<(), StoreError> {
        self.checkpoint()?;
        self.writer().log()?.close()
    }
}

/// The log. Nothing that the tree did not contain at the beginning is deleted from it.
#[derive(Debug)]
pub(super) struct PinnedLog<'a> {
    inner: &'a Inner,
    /// The last frame that the tree contained at the beginning.
    pub(super) applied: u64,
}

impl PinnedLog<'_> {
    /// The last frame acknowledged, and the files with all frames after `applied` up to that one.
    pub(super) fn files(&self) -> Result<(Vec<PathBuf>, u64), StoreError> {
        let mut writer = self.inner.writer();
        let log = writer.log()?;
        log.check()?;
        Ok((log.files(), log.last()))
    }
}

impl Drop for PinnedLog<'_> {
    fn drop(&mut self) {
        let mut writer = self.inner.writer();
        // The files of a failed store are left alone.
        let Ok(log) = writer.log() else { return };
        let superseded = log.unpin(self.applied);
        self.inner.log_bytes.store(log.bytes() as u64, Ordering::Relaxed);
        let folder = log.folder().clone();
        drop(writer);
        // Files that remain are deleted when the store is next opened.
        let _ = Log::remove(&folder, &superseded);
    }
}

/// The positions of the unconsumed messages, and the position of the next message.
fn positions(view: &View<'_>) -> Result<(Positions, u64), StoreError> {
    let mut positions = Positions::new();
    // A position is not reused: the tree may still have the message that had it.
    let known = view.layers.newest.messages.keys().map(|(_, position)| position + 1);
    let mut next_position = known.max().unwrap_or_default();
    for partition in view.partitions_with_messages()? {
        let mut from = Some(0);
        while let Some(first) = from {
            let found = view.messages(partition, first..u64::MAX, LOOKED_AT_ONCE, None)?;
            for (position, message) in found.values {
                let Some(message) = message else { continue };
                let message: TaskMessage = values::read("a message", &message)?;
                positions.insert((partition, message.id), position);
                next_position = next_position.max(position + 1);
            }
            from = found.end.map(|end| end + 1);
        }
    }
    Ok((positions, next_position))
}

/// Applies a frame to an overlay.
pub(super) fn apply(
    overlay: &mut Overlay,
    frame: &Frame,
    below: impl Fn(&InstanceId) -> Result<Option<u64>, StoreError>,
) -> Result<(), StoreError> {
    overlay.bytes += frame.body.len();
    for change in body::changes(frame) {
        overlay.apply(frame.sequence, change?, &below)?;
    }
    overlay.last = frame.sequence;
    Ok(())
}
