//! The orchestration instances of a partition: in memory, or else read from the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cache::{Cache, Capacity};
use super::core::Core;
use super::episode::replay;
use super::reader::{Reader, Stopped};
use super::resident::Resident;
use super::write::write_episode;
use crate::engine::Episode;
use crate::hub::commit::write::Content;
use crate::hub::mail::End;
use crate::protocol::{ExecutionId, InstanceId, InstanceRecord, RuntimeStatus};

/// The number of a write that is durable in any case.
const DURABLE: u64 = 0;

#[derive(Debug)]
pub(super) struct Residents {
    cache: Cache<Resident>,
    purged: Tombstones,
}

impl Residents {
    pub(super) fn new(capacity: Capacity, durable: Arc<AtomicU64>) -> Self {
        let purged = Tombstones { durable: Arc::clone(&durable), writes: BTreeMap::new() };
        Self { cache: Cache::new(capacity, durable), purged }
    }

    /// Lends an instance to `f`: from memory, or replayed from the store. `None` if it does not
    /// exist.
    pub(super) fn with<R>(
        &mut self,
        core: &mut Core,
        id: &InstanceId,
        f: impl FnOnce(&mut Core, &mut Resident) -> R,
    ) -> Result<Option<R>, Stopped> {
        let (purged, mut is_purged) = (&self.purged, false);
        let load = |core: &mut Core| if purged.has(id) { Ok(None) } else { load(core, id) };
        let lent = |core: &mut Core, resident: &mut Resident| {
            let result = f(core, resident);
            is_purged = resident.is_purged;
            result
        };
        let result = self.cache.with(core, id, load, lent)?;
        if is_purged {
            self.purged.writes.insert(id.clone(), None);
        }
        Ok(result)
    }

    pub(super) fn insert(&mut self, resident: Box<Resident>) {
        // Started again, after the purge and in a later write. It stays in memory until that is
        // durable.
        self.purged.writes.remove(&resident.record.instance_id);
        self.cache.insert(resident);
    }

    /// Forgets an instance, whose place another one takes.
    pub(super) fn remove(&mut self, id: &InstanceId) {
        drop(self.cache.remove(id));
    }

    /// The instances in memory.
    #[cfg(feature = "testing")]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Resident> {
        self.cache.iter()
    }

    /// Evicts what can be read from the store again. All purges are written by now, the last one
    /// in the write `last_write` or before.
    pub(super) fn evict(&mut self, last_write: u64) {
        self.cache.evict();
        self.purged.forget(last_write);
    }

    /// The number of instances in memory.
    pub(super) fn len(&self) -> usize {
        self.cache.len()
    }

    /// An instance, if it is in memory.
    pub(super) fn peek(&self, id: &InstanceId) -> Option<&Resident> {
        self.cache.peek(id)
    }

    /// The record of an instance, which is not replayed for it.
    pub(super) fn record(
        &mut self,
        store: &Reader,
        id: &InstanceId,
    ) -> Result<Option<InstanceRecord>, Stopped> {
        match self.cache.get(id) {
            Some(resident) => Ok(Some(resident.record.clone())),
            None => self.stored(store, id),
        }
    }

    pub(super) fn status(
        &mut self,
        store: &Reader,
        id: &InstanceId,
    ) -> Result<Option<RuntimeStatus>, Stopped> {
        match self.cache.get(id) {
            Some(resident) => Ok(Some(resident.record.runtime_status)),
            None => Ok(self.stored(store, id)?.map(|record| record.runtime_status)),
        }
    }

    /// Whether an instance is in this execution.
    pub(super) fn is_current(
        &mut self,
        store: &Reader,
        id: &InstanceId,
        execution: ExecutionId,
    ) -> Result<bool, Stopped> {
        match self.cache.get(id) {
            Some(resident) => Ok(resident.record.execution_id == execution),
            None => Ok(self.stored(store, id)?.is_some_and(|it| it.execution_id == execution)),
        }
    }

    /// The record of an instance and how it came to a stop, if it has.
    pub(super) fn end(
        &mut self,
        store: &Reader,
        id: &InstanceId,
    ) -> Result<Option<(InstanceRecord, Option<End>)>, Stopped> {
        if let Some(resident) = self.cache.get(id) {
            return Ok(Some((resident.record.clone(), resident.end.clone())));
        }
        let Some(record) = self.stored(store, id)? else { return Ok(None) };
        let end = store.end_of(&record)?;
        Ok(Some((record, end)))
    }

    /// The record in the store, unless it is purged by a write that is not durable yet.
    fn stored(&self, store: &Reader, id: &InstanceId) -> Result<Option<InstanceRecord>, Stopped> {
        if self.purged.has(id) { Ok(None) } else { store.instance(id) }
    }
}

/// The instances that were purged and that the store still has, because the purge is not durable.
#[derive(Debug)]
struct Tombstones {
    /// Each with the write that purges it, or a later one; `None` until the end of the turn.
    writes: BTreeMap<InstanceId, Option<u64>>,
    /// The number of the last write that is durable.
    durable: Arc<AtomicU64>,
}

impl Tombstones {
    fn has(&self, id: &InstanceId) -> bool {
        let is_durable = |write: u64| write <= self.durable.load(Ordering::Acquire);
        self.writes.get(id).is_some_and(|write| !write.is_some_and(is_durable))
    }

    fn forget(&mut self, last_write: u64) {
        let durable = self.durable.load(Ordering::Acquire);
        self.writes.retain(|_, write| *write.get_or_insert(last_write) > durable);
    }
}

/// Reads an instance from the store, and replays it if it is running. An instance whose history
/// does not fit its code is suspended.
fn load(core: &mut Core, id: &InstanceId) -> Result<Option<Box<Resident>>, Stopped> {
    let Some(record) = core.store.instance(id)? else { return Ok(None) };
    let end = core.store.end_of(&record)?;
    // Nothing is evicted before its last write is durable, so the store has all of them.
    let mut resident = Resident::new(record, DURABLE);
    resident.end = end;
    let is_running = !resident.record.runtime_status.is_finished();
    if is_running && resident.record.suspension.is_none() {
        let past = core.store.history(&resident.record)?;
        match replay(&core.env, &resident.record, &past) {
            Ok(execution) => {
                resident.execution = Some(execution);
                resident.keep_history(&core.env.settings, past);
            }
            Err(suspension) => {
                let episode = Episode::set_aside(core.now(), [], suspension, true);
                write_episode(core, &mut resident, episode, Content::default(), Vec::new());
            }
        }
    }
    Ok(Some(resident))
}
