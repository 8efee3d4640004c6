//! The records of instances: one by one, and by page.
//!
//! Owns the keys `i`. Nearly every record is one piece; what is longer goes on behind its first
//! piece, so that no leaf of sled's becomes too large (see `values.rs`).

use sled::{Batch, Tree};

use super::disk::sled_error;
use super::{SledStore, encoded, keys, values};
use crate::protocol::{InstanceId, InstanceRecord};
use crate::store::{InstanceFilter, InstancePage, Store, StoreError};

/// How many records are looked at for one page, so that a query for what is rare gives an answer,
/// and memory back, now and then.
pub(super) const LOOKED_AT_MAX: usize = 10_000;

/// A record as it stands in the tree.
pub(super) struct Found {
    pub(super) record: InstanceRecord,
    /// Whether it has more than one piece.
    pub(super) is_long: bool,
}

pub(super) fn get(tree: &Tree, id: &InstanceId) -> Result<Option<Found>, StoreError> {
    let Some(first) = tree.get(keys::instances(id.as_str())).map_err(sled_error)? else {
        return Ok(None);
    };
    let is_long = first.len() == values::PIECE;
    if !is_long {
        return Ok(Some(Found { record: read(&first)?, is_long }));
    }
    let mut bytes = first.to_vec();
    for piece in tree.scan_prefix(keys::rest_of_instance(id)).values() {
        bytes.extend_from_slice(&piece.map_err(sled_error)?);
    }
    Ok(Some(Found { record: read(&bytes)?, is_long }))
}

/// Writes a record in the place of the one that was found before.
pub(super) fn put(
    tree: &Tree,
    batch: &mut Batch,
    record: &InstanceRecord,
    old: Option<&Found>,
) -> Result<(), StoreError> {
    let id = &record.instance_id;
    remove_rest(tree, batch, id, old)?;
    let bytes = encoded(record)?;
    let (first, rest) = bytes.split_at(bytes.len().min(values::PIECE));
    batch.insert(keys::instances(id.as_str()), first);
    values::put(batch, &keys::rest_of_instance(id), rest);
    Ok(())
}

/// Removes the record that was found.
pub(super) fn remove(
    tree: &Tree,
    batch: &mut Batch,
    id: &InstanceId,
    old: &Found,
) -> Result<(), StoreError> {
    batch.remove(keys::instances(id.as_str()));
    remove_rest(tree, batch, id, Some(old))
}

fn remove_rest(
    tree: &Tree,
    batch: &mut Batch,
    id: &InstanceId,
    old: Option<&Found>,
) -> Result<(), StoreError> {
    if old.is_some_and(|old| old.is_long) {
        values::remove(tree, batch, &keys::rest_of_instance(id))?;
    }
    Ok(())
}

fn read(bytes: &[u8]) -> Result<InstanceRecord, StoreError> {
    values::read("the record of an instance", bytes)
}

impl SledStore {
    /// Records behind `after` that the filter lets through. Nothing is locked meanwhile: a page is
    /// no picture of one moment, and is not worth to keep commits waiting.
    pub(super) fn page(
        &self,
        filter: &InstanceFilter,
        after: Option<&InstanceId>,
        limit: usize,
    ) -> Result<InstancePage, StoreError> {
        let prefix = keys::instances(&filter.id_prefix);
        let behind = after.map(|id| keys::behind(keys::instances(id.as_str())));
        let from = behind.unwrap_or_default().max(prefix.clone());
        let mut page = InstancePage::default();
        let mut looked_at = 0;
        for found in self.tree.range(from..) {
            let (key, first) = found.map_err(sled_error)?;
            if !key.starts_with(&prefix) {
                return Ok(page);
            }
            if key.contains(&keys::END) {
                // The rest of a record whose first piece came before.
                continue;
            }
            let id = values::instance_id(&key[1..])?;
            let record = if first.len() == values::PIECE {
                self.instance(&id)?
            } else {
                Some(read(&first)?)
            };
            page.instances.extend(record.filter(|record| filter.matches(record)));
            looked_at += 1;
            if page.instances.len() == limit.max(1) || looked_at == LOOKED_AT_MAX {
                page.next = Some(id);
                return Ok(page);
            }
        }
        Ok(page)
    }
}
