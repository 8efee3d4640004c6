//! When each instance is due: the nearest entries are in memory, the rest in the store.
//!
//! **Invariant:** every due time is in memory, or it is durable in the store and beyond the
//! horizon, where a later read finds it.
//!
//! Rules that keep it:
//! 1. Every entry in memory carries the number of the write that contains it, if any. An entry
//!    leaves memory only once that write is durable. An entry that no write contains stays until it
//!    is due.
//! 2. Entries leave memory only beyond the horizon, and only a read of the store moves the horizon
//!    forward.
//! 3. Before a read of the store, the list drops the entries that are already durable. An entry
//!    that becomes durable during the read stays in memory, because the result may lack it.
//! 4. A result of a read never replaces an entry in memory, because it may be older.
//! 5. An entry may be stale. Before acting on it, the caller asks the instance when it is due.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::hub::sizes::DueSizes;
use crate::protocol::{InstanceId, Timestamp};

/// When an instance is due.
pub(crate) type Entry = (Timestamp, InstanceId);

/// The number of the first write that contains a due time; `None` if only memory knows it.
pub(crate) type WrittenBy = Option<u64>;

/// An entry that was read from the store is in a durable write, whatever its number.
const FROM_STORE: WrittenBy = Some(0);

#[derive(Debug)]
pub(crate) struct DueList {
    sizes: DueSizes,
    /// All entries up to the horizon.
    soon: BTreeMap<Entry, WrittenBy>,
    /// Entries beyond the horizon that the store may not have yet.
    later: BTreeMap<Entry, WrittenBy>,
    /// The entries of `later` that a write contains, in the order of the writes.
    leaving: BTreeSet<(u64, Entry)>,
    /// All entries up to this one are in `soon`; `None` if all entries are.
    horizon: Option<Entry>,
    /// The number of the last write that is durable.
    durable: Arc<AtomicU64>,
    /// The entries that the store has, although the present code is due at another time.
    #[cfg(feature = "testing")]
    stale: BTreeSet<Entry>,
}

impl DueList {
    /// The list of a partition before its entries are loaded.
    pub(crate) fn new(sizes: DueSizes, durable: Arc<AtomicU64>) -> Self {
        let (soon, later, leaving) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self {
            sizes,
            soon,
            later,
            leaving,
            horizon: None,
            durable,
            #[cfg(feature = "testing")]
            stale: BTreeSet::new(),
        }
    }

    /// Reads the first entries. `ask` reads a number of entries after the given one from the store.
    pub(crate) fn load<E>(
        &mut self,
        ask: impl FnOnce(Option<&Entry>, usize) -> Result<Vec<Entry>, E>,
    ) -> Result<(), E> {
        self.read(None, ask)
    }

    /// Changes the due time of an instance from the first to the second, in the write `written_by`.
    pub(crate) fn set(
        &mut self,
        id: &InstanceId,
        (before, now): (Option<Timestamp>, Option<Timestamp>),
        written_by: WrittenBy,
    ) {
        if let Some(before) = before.filter(|before| now != Some(*before)) {
            self.remove(&(before, id.clone()));
        }
        if let Some(now) = now {
            self.insert((now, id.clone()), written_by);
            self.shrink();
        }
    }

    /// Notes that the store has an entry at which nothing is due, because the code has changed since it
    /// was written.
    #[cfg(feature = "testing")]
    pub(crate) fn note_stale(&mut self, entry: Entry) {
        self.stale.insert(entry);
    }

    /// Whether the list will return this entry, or need not because it is stale. The store has the
    /// entry if `is_stored`.
    #[cfg(feature = "testing")]
    pub(crate) fn will_return(&self, entry: &Entry, is_stored: bool) -> bool {
        let is_beyond = self.horizon.as_ref().is_some_and(|horizon| entry > horizon);
        let is_later = is_beyond && (is_stored || self.later.contains_key(entry));
        is_later || self.soon.contains_key(entry) || (is_stored && self.stale.contains(entry))
    }

    /// The earliest time at which an instance may be due.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        // The first entry beyond the horizon is unknown.
        self.soon.keys().next().or(self.horizon.as_ref()).map(|(at, _)| *at)
    }

    /// Takes the next instance that is due.
    pub(crate) fn pop<E>(
        &mut self,
        now: Timestamp,
        ask: impl FnOnce(Option<&Entry>, usize) -> Result<Vec<Entry>, E>,
    ) -> Result<Option<InstanceId>, E> {
        if self.soon.is_empty()
            && let Some(horizon) = self.horizon.clone()
        {
            mark!("due: the next page is read");
            self.read(Some(&horizon), ask)?;
        }
        let is_due = self.soon.keys().next().is_some_and(|(at, _)| *at <= now);
        let popped = if is_due { self.soon.pop_first() } else { None };
        Ok(popped.map(|((_, id), _)| id))
    }

    fn read<E>(
        &mut self,
        after: Option<&Entry>,
        ask: impl FnOnce(Option<&Entry>, usize) -> Result<Vec<Entry>, E>,
    ) -> Result<(), E> {
        self.drop_durable();
        let found = ask(after, self.sizes.read)?;
        self.horizon = found.last().filter(|_| found.len() >= self.sizes.read).cloned();
        let until = self.horizon.as_ref().map_or(Bound::Unbounded, Bound::Included);
        for (entry, written_by) in self.later.extract_if((Bound::Unbounded, until), |_, _| true) {
            mark!(written_by.is_none(), "due: an entry comes near that no write contains");
            mark!(written_by.is_some(), "due: an entry comes near that was not durable");
            if let Some(number) = written_by {
                self.leaving.remove(&(number, entry.clone()));
            }
            self.soon.insert(entry, written_by);
        }
        for entry in found {
            mark!(self.soon.contains_key(&entry), "due: the store has what is in memory");
            self.soon.entry(entry).or_insert(FROM_STORE);
        }
        self.shrink();
        Ok(())
    }

    fn insert(&mut self, entry: Entry, written_by: WrittenBy) {
        #[cfg(feature = "testing")]
        self.stale.remove(&entry);
        if self.horizon.as_ref().is_none_or(|horizon| entry <= *horizon) {
            self.soon.insert(entry, written_by);
            return;
        }
        mark!("due: an entry lies beyond the horizon");
        self.remove(&entry);
        self.drop_durable();
        self.leaving.extend(written_by.map(|number| (number, entry.clone())));
        self.later.insert(entry, written_by);
    }

    fn remove(&mut self, entry: &Entry) {
        if self.soon.remove(entry).is_none()
            && let Some(Some(number)) = self.later.remove(entry)
        {
            self.leaving.remove(&(number, entry.clone()));
        }
    }

    /// Moves the horizon back if too many entries are in memory.
    fn shrink(&mut self) {
        if self.soon.len() <= self.sizes.keep {
            return;
        }
        let kept = (self.sizes.keep / 2).max(1);
        let Some(first_out) = self.soon.keys().nth(kept).cloned() else { return };
        mark!("due: the horizon moves back");
        let out = self.soon.split_off(&first_out);
        self.horizon = self.soon.keys().next_back().cloned();
        for (entry, written_by) in out {
            self.leaving.extend(written_by.map(|number| (number, entry.clone())));
            self.later.insert(entry, written_by);
        }
        self.drop_durable();
    }

    /// Drops the durable entries beyond the horizon. Never called during a read (rule 3).
    fn drop_durable(&mut self) {
        let durable = self.durable.load(Ordering::Acquire);
        while self.leaving.first().is_some_and(|(number, _)| *number <= durable) {
            if let Some((_, entry)) = self.leaving.pop_first() {
                self.later.remove(&entry);
            }
        }
    }
}
