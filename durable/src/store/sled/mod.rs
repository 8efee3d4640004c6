//! The embedded store: a folder with a commit log and a sled database in it.
//!
//! A commit is one frame of the *log*, written and synced at once. Committed changes are kept in an
//! *overlay* in memory. A *checkpoint* in the background moves the overlay into sled's *tree*: only
//! the net effect, in few, large values. Then that part of the log is deleted.
//!
//! Read next: `inner.rs` (how these work together), `log/` (durability), `overlay.rs` (memory),
//! `checkpoint.rs` and `keys.rs` (the tree), `view.rs` (reading through all layers).

mod actor;
mod address;
mod backup;
mod base;
mod body;
mod checkpoint;
mod checkpoints;
mod compact;
mod creation;
mod creation_page;
mod disk;
mod error;
mod folder;
#[cfg(any(test, fuzzing))]
#[allow(unreachable_pub, reason = "reachable for `cargo fuzz` only")]
pub mod fuzz;
mod history;
mod inner;
mod keys;
mod log;
mod monitor;
mod open_folder;
mod options;
mod overlay;
mod pace;
mod packed;
mod room;
mod salvage;
#[cfg(feature = "testing")]
mod simulation;
mod sizes;
mod stored;
mod system;
#[cfg(test)]
mod tests;
mod tree;
mod values;
mod view;

use std::fs;
use std::ops::{Bound, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::actor::Running;
use self::address::Address;
use self::base::Base;
use self::checkpoints::Checkpoints;
#[cfg(feature = "testing")]
pub(crate) use self::disk::simulated;
use self::error::{guarded, newer_format};
use self::folder::Folder;
use self::inner::Inner;
use self::log::Log;
use self::log::frame::Frame;
pub use self::options::SledOptions;
use self::overlay::Overlay;
use self::pace::Pace;
use self::room::Room;
use self::view::LOOKED_AT_ONCE;
use super::{
    BackupReport, Commit, Creation, CreationOrder, Epoch, InstanceFilter, InstancePage,
    PartitionState, Store, StoreError, Usage, chain,
};
use crate::protocol::{
    ExecutionId, FORMAT_VERSION, HistoryEvent, HubRecord, InstanceId, InstanceRecord, PartitionId,
    TaskMessage, Timestamp,
};

/// The maximum number of records that are scanned for one page if the filter does not set a smaller
/// one, so that a query with few matches returns and frees memory from time to time.
const LOOKED_AT_MAX: usize = 10_000;
/// The first id after those of entities.
const BEHIND_ENTITIES: &str = "A";

/// The embedded store: a folder, owned by one process at a time.
///
/// By default, a commit is durable when the call returns. It costs one sequential write and one
/// `fdatasync`, regardless of the size of the folder. [`options`](Self::options) has the settings.
///
/// ```
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
    /// `None` if opened for reading only.
    checkpoints: Option<Running>,
    inner: Arc<Inner>,
    path: PathBuf,
    /// The damage report of a store that is opened for reading only.
    salvage: Option<Box<Salvage>>,
    /// Dropped last: it is unlocked when all files are closed. `None` if opened for reading only.
    _folder: Option<Folder>,
}

/// What was found in addition to the readable store.
#[derive(Debug)]
struct Salvage {
    damage: Vec<StoreError>,
    /// Log frames after the damage.
    behind: Vec<Frame>,
    /// Removed with this value.
    #[cfg_attr(not(test), expect(dead_code, reason = "it is only kept"))]
    copy: TreeCopy,
}

/// A copy of sled's files, removed on drop.
#[derive(Debug)]
struct TreeCopy(PathBuf);

impl Drop for TreeCopy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl SledStore {
    /// Opens the folder at `path`, or creates it.
    ///
    /// A new folder has mode 0700, because it holds every input and result in readable form; an
    /// existing folder keeps its mode. The folder may be the root of a volume: files and folders
    /// that do not belong to the store are left alone.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if the folder is already open, [`StoreError::UnknownFormat`] if a
    /// newer release wrote it, [`StoreError::LogDamaged`] and [`StoreError::Damaged`] if
    /// acknowledged data is missing or unreadable, [`StoreError::DiskFull`] if there is too little
    /// space to open the folder safely, [`StoreError::Io`] if a system call fails.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::options().open(path)
    }

    /// Returns the default options, with which a store can be opened.
    pub fn options() -> SledOptions {
        SledOptions::default()
    }

    fn open_with(path: &Path, options: &SledOptions) -> Result<Self, StoreError> {
        let folder = Folder::open(&options.disk, path)?;
        compact::enlarge_segments(&folder, options)?;
        let inner = Arc::new(open_inner(&folder, options)?);
        let checkpoints = Checkpoints::new(Arc::clone(&inner));
        let checkpoints = Some(Running::start(&options.disk, "durable-checkpoint", checkpoints)?);
        let path = path.to_owned();
        let store = Self { checkpoints, inner, path, salvage: None, _folder: Some(folder) };
        if let Some(hub) = store.hub()?
            && hub.format < FORMAT_VERSION
        {
            // So that an older release reports an unknown format, not damage.
            let from = hub.format;
            let hub = HubRecord { format: FORMAT_VERSION, ..hub };
            store.guarded(|| store.inner.write_hub(&hub))?;
            tell!(
                info,
                path = %store.path.display(),
                from,
                to = FORMAT_VERSION,
                "the format of the folder was raised: older releases cannot open it any more"
            );
        }
        Ok(store)
    }

    fn guarded<T>(&self, run: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        guarded(&self.path, run)
    }

    fn hub(&self) -> Result<Option<HubRecord>, StoreError> {
        let Some(bytes) = self.guarded(|| self.inner.view().hub())? else { return Ok(None) };
        self.guarded(|| read_hub(&bytes)).map(Some)
    }
}

impl SledOptions {
    /// Opens the folder at `path`; missing parts are created.
    ///
    /// # Errors
    /// See [`SledStore::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<SledStore, StoreError> {
        SledStore::open_with(path.as_ref(), &self)
    }
}

/// The record of the hub, if this release knows the format of the store.
fn read_hub(bytes: &[u8]) -> Result<HubRecord, StoreError> {
    let hub: Result<HubRecord, _> = values::read("the record of the hub", bytes);
    // The format is in the first byte, which can be read even if the rest cannot.
    let found = bytes.first().copied().into_iter().chain(hub.as_ref().ok().map(|hub| hub.format));
    found.max().and_then(newer_format).map_or(hub, Err)
}

impl Drop for SledStore {
    fn drop(&mut self) {
        if self.salvage.is_some() {
            return;
        }
        self.inner.pace.stop();
        self.inner.room.give_up();
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.join();
        }
        if let Err(error) = guarded(&self.path, || self.inner.close()) {
            let error = chain(&error);
            tell!(warn, error, "the store was closed with its last commits in the log only");
        }
    }
}

/// Opens the content of the folder: the tree, and the newer frames of the log.
fn open_inner(folder: &Folder, options: &SledOptions) -> Result<Inner, StoreError> {
    // The frames of the log are written again.
    let disk = &options.disk;
    let log_bytes = log::size_of(disk, &folder.log());
    let log_bytes = log_bytes.map_err(|error| StoreError::io("cannot read the log", error))?;
    room::check(disk, folder.path(), room::FREE_TO_OPEN + log_bytes)?;
    guarded(folder.path(), || {
        let base = open_base(folder, options)?;
        check_hub(base.get(keys::HUB)?.as_deref())?;
        creation::rebuild_if_incomplete(&base, folder.path())?;
        let found = log::read::read(&options.disk, &folder.log(), base.applied()?)?;
        if let Some(damage) = found.damage {
            return Err(damage);
        }
        if let Some((file, offset)) = &found.torn {
            tell!(
                warn,
                file = %file.display(), offset,
                "a crash has torn the last commit, which was never acknowledged: it was cut off"
            );
        }
        let mut newest = Overlay { recovers: true, ..Overlay::default() };
        recover(&mut newest, &base, &found.frames)?;
        check_hub(newest.hub.as_deref())?;
        let room = Arc::new(Room::new(disk, folder.path(), options.reserve_bytes));
        let (durability, sizes) = (options.durability, options.sizes);
        let of_room = Arc::clone(&room);
        let log = Log::open(disk, &folder.log(), &found, durability, sizes.log, of_room)?;
        let pace = Pace::new(disk, options.overlay_bytes);
        Inner::new(base, newest, Some(log), sizes.checkpoint, room, pace)
    })
}

/// Checks that this release knows the format of the store. A newer release raises the format in the
/// hub's record with its first write, so this check comes before any other read.
fn check_hub(hub: Option<&[u8]>) -> Result<(), StoreError> {
    hub.map_or(Ok(()), |hub| read_hub(hub).map(drop))
}

/// Opens the tree, and makes its directory entries durable.
fn open_base(folder: &Folder, options: &SledOptions) -> Result<Base, StoreError> {
    let open = || Base::open(&options.disk, &folder.tree(), options.cache_bytes);
    let has_begun = folder.has_log()?;
    let base = match open() {
        // A crash during the creation left a tree that never had any content, because the log is
        // only created once the tree is durable.
        Err(StoreError::Damaged { .. }) if !has_begun && folder.is_tree_new()? => {
            folder.remove_tree()?;
            open()?
        }
        opened => opened?,
    };
    if !has_begun {
        let damage = log::read::read(&options.disk, &folder.log(), base.applied()?)?.damage;
        damage.map_or(Ok(()), Err)?;
    }
    folder.sync()?;
    folder.create_log()?;
    Ok(base)
}

/// Applies frames of the log to the overlay. The tree may already contain some of them.
fn recover(newest: &mut Overlay, base: &Base, frames: &[Frame]) -> Result<(), StoreError> {
    let below = |id: &InstanceId| Ok(base.head(id)?.map(|(sequence, _)| sequence));
    frames.iter().try_for_each(|frame| inner::apply(newest, frame, below))
}

impl Store for SledStore {
    fn create(&self, hub: &HubRecord) -> Result<HubRecord, StoreError> {
        self.guarded(|| self.inner.create(hub))?;
        let found = self.hub()?;
        found.ok_or_else(|| StoreError::damaged("the record of the hub is gone again"))
    }

    fn claim(&self, partition: PartitionId) -> Result<Epoch, StoreError> {
        self.guarded(|| self.inner.claim(partition))
    }

    fn load(&self, partition: PartitionId) -> Result<PartitionState, StoreError> {
        self.guarded(|| {
            let view = self.inner.view();
            let (active, messages_end) = (view.active(partition)?, view.messages_end(partition)?);
            Ok(PartitionState { active, messages_end })
        })
    }

    fn messages(
        &self,
        partition: PartitionId,
        to: Option<&InstanceId>,
        mut positions: Range<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, TaskMessage)>, StoreError> {
        let address = to.map(Address::of).transpose()?;
        let mut messages = Vec::new();
        let mut spread = 1;
        while messages.len() < limit && !positions.is_empty() {
            // Those for one instance may lie close together, or far apart.
            let count = LOOKED_AT_ONCE.min((limit - messages.len()).saturating_mul(spread));
            spread = if to.is_some() { LOOKED_AT_ONCE.min(spread * 4) } else { 1 };
            let view = || self.inner.view();
            let read = || view().messages(partition, positions.clone(), count, address.as_ref());
            let page = self.guarded(read)?;
            for (position, message) in page.values {
                let Some(message) = message else { continue };
                let message: TaskMessage = values::read("a message", &message)?;
                if messages.len() < limit && to.is_none_or(|to| message.instance_id == *to) {
                    messages.push((position, message));
                }
            }
            positions.start = page.end.map_or(positions.end, |end| end + 1);
        }
        Ok(messages)
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        self.guarded(|| self.inner.commit(commit))
    }

    fn instance(&self, instance: &InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
        let record = self.guarded(|| self.inner.view().record(instance))?;
        record.map(|record| read_record(&record)).transpose()
    }

    fn due(
        &self,
        partition: PartitionId,
        after: Option<&(Timestamp, InstanceId)>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
        self.guarded(|| self.inner.view().due(partition, after, until, limit))
    }

    fn instances(
        &self,
        filter: &InstanceFilter,
        after: Option<&InstanceId>,
        limit: usize,
    ) -> Result<InstancePage, StoreError> {
        let mut page = InstancePage::default();
        let mut after = after.cloned();
        let most = filter.max_scanned.map_or(LOOKED_AT_MAX, |most| most.clamp(1, LOOKED_AT_MAX));
        let mut looked_at = 0;
        loop {
            let from = match &after {
                // There may be many of them.
                Some(id) if !id.is_orchestration() && filter.wants_orchestrations() => {
                    Bound::Included(BEHIND_ENTITIES)
                }
                Some(id) => Bound::Excluded(id.as_str()),
                None => Bound::Unbounded,
            };
            let view = || self.inner.view();
            let count = LOOKED_AT_ONCE.min(most - looked_at);
            let read = || view().records(filter.ids_begin_with(), from, count);
            let found = self.guarded(read)?;
            for (id, record) in found.values {
                looked_at += 1;
                page.scanned += 1;
                if let Some(record) = record {
                    let record = read_record(&record)?;
                    page.instances.extend(filter.matches(&record).then_some(record));
                }
                if page.instances.len() == limit.max(1) || looked_at == most {
                    page.next = Some(id);
                    return Ok(page);
                }
            }
            if found.end.is_none() {
                return Ok(page);
            }
            after = found.end;
        }
    }

    fn instances_by_creation(
        &self,
        filter: &InstanceFilter,
        order: CreationOrder,
        after: Option<&Creation>,
        limit: usize,
    ) -> Result<InstancePage<Creation>, StoreError> {
        let view = || self.inner.view();
        self.guarded(|| creation_page::page(view, filter, order, after, limit.max(1)))
    }

    fn history(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        from: u64,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        self.history_page(instance, execution, from..u64::MAX)
    }

    fn history_page(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        indices: Range<u64>,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        let (from, until) = (indices.start, indices.end);
        let blocks =
            self.guarded(|| history::read(|| self.inner.view(), instance, execution, indices))?;
        let mut events = Vec::new();
        let what = || format!("the history of `{instance}`");
        for block in &blocks {
            events.extend(values::read::<Vec<HistoryEvent>>(&what(), &block.events)?);
        }
        let first = blocks.first().map_or(from, |block| block.first);
        let index = |index: u64| usize::try_from(index.saturating_sub(first)).unwrap_or(usize::MAX);
        events.truncate(index(until));
        events.drain(..index(from).min(events.len()));
        Ok(events)
    }

    fn check_room(&self) -> Result<(), StoreError> {
        self.inner.room.for_new_work()
    }

    fn usage(&self) -> Usage {
        self.inner.usage()
    }

    fn backup(&self, to: &Path) -> Result<BackupReport, StoreError> {
        backup::back_up(self, to)
    }

    fn give_up(&self) {
        self.inner.room.give_up();
    }
}

fn read_record(record: &[u8]) -> Result<InstanceRecord, StoreError> {
    values::read("the record of an instance", record)
}
