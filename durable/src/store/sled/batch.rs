//! From a commit to the one batch that writes it.
//!
//! A batch is applied without order and keeps the last write to a key, so what it leaves is the net
//! effect: each function removes first and inserts then, and what a later episode of the same commit
//! replaces is not written at all.
//!
//! Read next: `index.rs` (the keys that follow from a record), `records.rs`, `values.rs`.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use sled::{Batch, Tree};

use super::records::{self, Found};
use super::{encoded, index, keys, values};
use crate::protocol::{ExecutionId, InstanceId};
use crate::store::{Commit, EpisodeWrite, StoreError};

/// The instances that a commit touches, as they are before it: each is read once.
pub(super) struct Before<'a>(BTreeMap<&'a InstanceId, Option<Found>>);

impl<'a> Before<'a> {
    pub(super) fn read(tree: &Tree, commit: &'a Commit) -> Result<Self, StoreError> {
        let written = commit.episodes.iter().map(|episode| &episode.record.instance_id);
        let purged = commit.purged.iter().map(|(_, id)| id);
        let mut before = BTreeMap::new();
        for id in written.chain(purged) {
            if let Entry::Vacant(unread) = before.entry(id) {
                unread.insert(records::get(tree, id)?);
            }
        }
        Ok(Self(before))
    }

    pub(super) fn get(&self, id: &InstanceId) -> Option<&Found> {
        self.0.get(id).and_then(Option::as_ref)
    }

    /// Whether the commit removes pieces of values that others may be reading.
    pub(super) fn is_cut_by(&self, commit: &Commit) -> bool {
        !commit.purged.is_empty()
            || commit.episodes.iter().any(|episode| episode.replaces.is_some())
            || self.0.values().flatten().any(|found| found.is_long)
    }
}

/// The episodes of a commit, and what follows from the last of each instance.
pub(super) fn put_episodes(
    tree: &Tree,
    batch: &mut Batch,
    commit: &Commit,
    before: &Before<'_>,
) -> Result<(), StoreError> {
    let mut histories: BTreeMap<(&InstanceId, ExecutionId), Vec<&EpisodeWrite>> = BTreeMap::new();
    let mut replaced = BTreeSet::new();
    let mut last = BTreeMap::new();
    for episode in &commit.episodes {
        let id = &episode.record.instance_id;
        if let Some(execution) = episode.replaces {
            histories.remove(&(id, execution));
            replaced.insert((id, execution));
        }
        histories.entry((id, episode.record.execution_id)).or_default().push(episode);
        last.insert(id, episode);
    }
    for (id, execution) in replaced {
        values::remove(tree, batch, &keys::history(id, execution))?;
    }
    for EpisodeWrite { record, events, .. } in histories.into_values().flatten() {
        let first = record.last_episode;
        let prefix = keys::episode(&record.instance_id, record.execution_id, first);
        if !events.is_empty() {
            values::put(batch, &prefix, &encoded(events)?);
        }
    }
    for (id, EpisodeWrite { partition, record, .. }) in last {
        let old = before.get(id);
        records::put(tree, batch, record, old)?;
        index::update(batch, *partition, id, old.map(|old| &old.record), Some(record));
    }
    Ok(())
}

/// Removes the purged instances, each with the histories of all of its executions.
pub(super) fn purge(
    tree: &Tree,
    batch: &mut Batch,
    commit: &Commit,
    before: &Before<'_>,
) -> Result<(), StoreError> {
    for (partition, id) in &commit.purged {
        let Some(old) = before.get(id) else { continue };
        values::remove(tree, batch, &keys::histories(id))?;
        records::remove(tree, batch, id, old)?;
        index::update(batch, *partition, id, Some(&old.record), None);
    }
    Ok(())
}
