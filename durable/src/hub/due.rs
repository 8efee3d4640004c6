//! Which instance has something to do at which time: the nearest in memory, the rest in the store.
//!
//! Rules:
//! 1. All that is due until the *horizon* is in memory; what is due later is in the store.
//! 2. What is due later and was written, but is not durable yet, is remembered until it is: the store
//!    may not have it when it is asked.
//! 3. An entry may be out of date; whoever is due is asked what for.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::protocol::{InstanceId, PartitionId, Timestamp};
use crate::store::{Store, StoreError};

/// How many entries are read at once.
const READ: usize = 1024;
/// How many entries are kept in memory.
const KEEP: usize = 16 * READ;

type Entry = (Timestamp, InstanceId);

#[derive(Debug)]
pub(super) struct DueList {
    partition: PartitionId,
    soon: BTreeSet<Entry>,
    /// The last entry of which it is certain that all before it are in `soon`; none if all are.
    horizon: Option<Entry>,
    /// Entries behind the horizon, each with the number of its write.
    written: VecDeque<(u64, Entry)>,
    /// The number of the last write that is durable.
    durable: Arc<AtomicU64>,
}

impl DueList {
    /// A list of which nothing is read yet.
    pub(super) fn new(partition: PartitionId, durable: Arc<AtomicU64>) -> Self {
        Self { partition, soon: BTreeSet::new(), horizon: None, written: VecDeque::new(), durable }
    }

    /// Reads what is due first.
    pub(super) fn load(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        self.read(store, None)
    }

    /// An instance was written, by the write of this number, and is due at another time than before.
    pub(super) fn set(
        &mut self,
        id: &InstanceId,
        (before, now): (Option<Timestamp>, Option<Timestamp>),
        written: u64,
    ) {
        if before == now {
            return;
        }
        if let Some(before) = before {
            self.soon.remove(&(before, id.clone()));
        }
        let Some(now) = now else { return };
        let entry = (now, id.clone());
        if self.horizon.as_ref().is_none_or(|horizon| entry <= *horizon) {
            self.soon.insert(entry);
            self.shrink(written);
        } else {
            self.forget_durable();
            self.written.push_back((written, entry));
        }
    }

    /// When to look next.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.soon.first().map(|(at, _)| *at)
    }

    /// An instance that is due.
    pub(super) fn pop(
        &mut self,
        now: Timestamp,
        store: &dyn Store,
    ) -> Result<Option<InstanceId>, StoreError> {
        let is_due = self.soon.first().is_some_and(|(at, _)| *at <= now);
        let popped = if is_due { self.soon.pop_first() } else { None };
        if self.soon.is_empty()
            && let Some(horizon) = self.horizon.take()
        {
            self.read(store, Some(&horizon))?;
        }
        Ok(popped.map(|(_, id)| id))
    }

    fn read(&mut self, store: &dyn Store, after: Option<&Entry>) -> Result<(), StoreError> {
        let found = store.due(self.partition, after, Timestamp::MAX, READ)?;
        self.horizon = if found.len() == READ { found.last().cloned() } else { None };
        self.soon.extend(found);
        self.forget_durable();
        let is_near = |entry: &Entry| self.horizon.as_ref().is_none_or(|horizon| entry <= horizon);
        let (near, far): (Vec<_>, Vec<_>) =
            self.written.drain(..).partition(|(_, entry)| is_near(entry));
        self.written.extend(far);
        self.soon.extend(near.into_iter().map(|(_, entry)| entry));
        Ok(())
    }

    /// Leaves to the store what is due last, once the last write is durable.
    fn shrink(&mut self, last_write: u64) {
        if self.soon.len() <= KEEP {
            return;
        }
        let Some(first_out) = self.soon.iter().nth(KEEP / 2).cloned() else { return };
        let out = self.soon.split_off(&first_out);
        self.written.extend(out.into_iter().map(|entry| (last_write, entry)));
        self.horizon = self.soon.last().cloned();
    }

    fn forget_durable(&mut self) {
        let durable = self.durable.load(Ordering::Acquire);
        while self.written.front().is_some_and(|(written, _)| *written <= durable) {
            self.written.pop_front();
        }
    }
}
