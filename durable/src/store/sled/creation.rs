//! Orchestrations in the order of their creation.
//!
//! Each overlay has a set of its orchestrations by creation, and the tree a key for each of them,
//! which the checkpoint writes in the batch of the instance. A position in a layer is stale if a
//! newer layer has purged the instance or started it again, so a reader compares it with the
//! instance's record.
//!
//! An earlier release writes no index. The tree contains the number of the last frame up to which
//! its index is complete. If that is not the last frame of the tree, the index is completed when the
//! folder is opened.
//!
//! Read next: `checkpoint.rs` (writing the index), `view.rs` (reading it through all layers).

use std::path::Path;

use sled::Batch;

use super::base::Base;
use super::created_at::created_at;
use super::error::sled_error;
use super::room::FREE_TO_WRITE;
use super::scan::Scan;
use super::stored::Stored;
use super::values::{self, encoded};
use super::view::{Created, LOOKED_AT_ONCE, View};
use super::{LOOKED_AT_MAX, keys, read_record};
use crate::store::{Creation, CreationOrder, InstanceFilter, InstancePage, StoreError};

/// The number of keys that are added to an incomplete index in one batch.
const BATCH: usize = 256;

/// A page in the order of creation. It reads a few records at a time, because commits wait while a
/// view is held.
pub(super) fn page<'a>(
    view: impl Fn() -> View<'a>,
    filter: &InstanceFilter,
    order: CreationOrder,
    after: Option<&Creation>,
    limit: usize,
) -> Result<InstancePage<Creation>, StoreError> {
    let mut page = InstancePage::default();
    if !filter.wants_orchestrations() {
        return Ok(page);
    }
    let (from, to) = (filter.created_from, filter.created_to);
    let mut scan = Scan { order, after: after.cloned(), from, to };
    let most = filter.max_scanned.map_or(LOOKED_AT_MAX, |most| most.clamp(1, LOOKED_AT_MAX));
    let mut spread = 1;
    loop {
        let scanned = usize::try_from(page.scanned).unwrap_or(usize::MAX);
        let count = (limit - page.instances.len()).saturating_mul(spread).min(LOOKED_AT_ONCE);
        // Matching instances may be far apart.
        spread = LOOKED_AT_ONCE.min(spread * 4);
        let Created { found, end } = view().creations(&scan, count.min(most - scanned))?;
        for (creation, record) in found {
            page.scanned += 1;
            if let Some(record) = record {
                let record = read_record(&record)?;
                let is_current = record.created_at == creation.0;
                page.instances.extend((is_current && filter.matches(&record)).then_some(record));
            }
            if page.instances.len() == limit || page.scanned == most as u64 {
                page.next = Some(creation);
                return Ok(page);
            }
        }
        if end.is_none() {
            return Ok(page);
        }
        scan.after = end;
    }
}

/// Adds the keys that are missing in the tree, because an earlier release has written it.
pub(super) fn complete_index(base: &Base, path: &Path) -> Result<(), StoreError> {
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
    let instances = add_missing(base)?;
    tell!(info, path = %path.display(), instances, "the index by creation is complete");
    Ok(())
}

/// Adds the key of each orchestration in the tree; returns how many there are.
pub(super) fn add_missing(base: &Base) -> Result<u64, StoreError> {
    let applied = base.applied()?;
    let (mut batch, mut instances) = (Batch::default(), 0_u64);
    let write = |batch: &mut Batch| {
        base.reserve(FREE_TO_WRITE)?;
        base.write(std::mem::take(batch))?;
        base.sync()
    };
    for found in base.tree.scan_prefix(keys::instances("")) {
        let (key, first) = found.map_err(sled_error)?;
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
        batch.insert(keys::creation(&(created_at, id)), &[]);
        instances += 1;
        if instances.is_multiple_of(BATCH as u64) {
            write(&mut batch)?;
        }
    }
    // Durable before the index counts as complete.
    write(&mut batch)?;
    batch.insert(keys::INDEXED, encoded(&applied)?);
    write(&mut batch)?;
    Ok(instances)
}
