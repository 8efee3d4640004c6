//! Rebuilding the index by creation, for trees that an earlier release has written.
//!
//! An earlier release writes no index. The tree contains the number of the last frame up to which
//! its index is complete. If that is not the last frame of the tree, the index is rebuilt when the
//! folder is opened.

use std::path::Path;

use super::super::base::Base;
use super::super::keys;
use super::super::room::FREE_TO_WRITE;
use super::super::stored::Stored;
use super::super::tree::Batch;
use super::super::values::{self, encoded};
use super::{IndexChanges, created_at};
use crate::store::StoreError;

/// The number of keys or instances in one batch.
const BATCH: usize = 256;

/// Rebuilds the index if an earlier release has written to the tree.
pub(in super::super) fn rebuild_if_incomplete(base: &Base, path: &Path) -> Result<(), StoreError> {
    let applied = base.applied()?;
    let indexed = match base.get(keys::INDEXED)? {
        Some(indexed) => values::read("the last frame of the index by creation", &indexed)?,
        None => 0,
    };
    if applied == indexed {
        return Ok(());
    }
    tell!(
        info,
        path = %path.display(),
        "the folder has no complete index by creation: it is built now, once"
    );
    let instances = rebuild(base)?;
    tell!(info, path = %path.display(), instances, "the index by creation is complete");
    Ok(())
}

/// Builds the index from the instances in the tree; returns the number of orchestrations.
pub(in super::super) fn rebuild(base: &Base) -> Result<u64, StoreError> {
    let applied = base.applied()?;
    for stale in base.keys(keys::CREATIONS)?.chunks(BATCH) {
        let mut batch = Batch::default();
        for key in stale {
            batch.remove(key.as_slice());
        }
        write(base, batch)?;
    }
    let (mut changes, mut instances) = (IndexChanges::default(), 0_u64);
    for found in base.tree.scan_prefix(keys::instances("")) {
        let (key, first) = found?;
        // A later piece of a value, or the record of an entity.
        if key.contains(&keys::END) || key.starts_with(&keys::instances("@")) {
            continue;
        }
        let id = values::id_of_instance(&key)?;
        let stored = if first.len() == values::PIECE {
            base.stored(&id)
        } else {
            Stored::read(&id, &first).map(Some)
        };
        // An unreadable record does not keep the folder from being opened.
        let created_at = |stored: Stored| created_at(&stored.record).ok();
        let Some(created_at) = stored.ok().flatten().and_then(created_at) else { continue };
        changes.add(&(created_at, id));
        instances += 1;
        if instances.is_multiple_of(BATCH as u64) {
            write(base, batch_of(&mut changes, base)?)?;
        }
    }
    // Durable before the index counts as complete.
    write(base, batch_of(&mut changes, base)?)?;
    let mut batch = Batch::default();
    batch.insert(keys::INDEXED, encoded(&applied)?);
    write(base, batch)?;
    Ok(instances)
}

fn batch_of(changes: &mut IndexChanges, base: &Base) -> Result<Batch, StoreError> {
    let mut batch = Batch::default();
    for (key, block) in changes.take(base)? {
        match block {
            Some(block) => batch.insert(key, block),
            None => batch.remove(key),
        }
    }
    Ok(batch)
}

fn write(base: &Base, batch: Batch) -> Result<(), StoreError> {
    base.reserve(FREE_TO_WRITE)?;
    base.write_durably(batch)
}
