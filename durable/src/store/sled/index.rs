//! Which instances are active, and which are due: keys without values, one per instance at most.
//!
//! Owns the keys `a` and `d`. They follow from the instances' records and are written with them, so
//! the record before says which keys there are.

use sled::{Batch, Tree};

use super::disk::sled_error;
use super::{keys, values};
use crate::protocol::{InstanceId, InstanceRecord, PartitionId, Timestamp};
use crate::store::StoreError;

/// Goes from the keys of an instance's old record to those of its new one.
pub(super) fn update(
    batch: &mut Batch,
    partition: PartitionId,
    id: &InstanceId,
    old: Option<&InstanceRecord>,
    new: Option<&InstanceRecord>,
) {
    let is_active = |record: &&InstanceRecord| record.active;
    let active = |record: Option<&InstanceRecord>| {
        record.filter(is_active).map(|_| keys::active_instance(partition, id))
    };
    let due = |record: Option<&InstanceRecord>| {
        record.and_then(|record| record.next_due).map(|at| keys::due_instance(partition, at, id))
    };
    replace(batch, active(old), active(new));
    replace(batch, due(old), due(new));
}

/// Most episodes change neither key, and then nothing is written.
fn replace(batch: &mut Batch, old: Option<Vec<u8>>, new: Option<Vec<u8>>) {
    if old == new {
        return;
    }
    if let Some(old) = old {
        batch.remove(old);
    }
    if let Some(new) = new {
        batch.insert(new, &[]);
    }
}

pub(super) fn active(tree: &Tree, partition: PartitionId) -> Result<Vec<InstanceId>, StoreError> {
    let prefix = keys::active(partition);
    let keys = tree.scan_prefix(&prefix).keys();
    keys.map(|key| values::instance_id(&key.map_err(sled_error)?[prefix.len()..])).collect()
}

pub(super) fn due(
    tree: &Tree,
    partition: PartitionId,
    after: Option<&(Timestamp, InstanceId)>,
    until: Timestamp,
    limit: usize,
) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
    let prefix = keys::due(partition);
    let from = match after {
        Some((at, id)) => keys::behind(keys::due_instance(partition, *at, id)),
        None => prefix.clone(),
    };
    let mut due = Vec::new();
    for key in tree.range(from..).keys().take(limit) {
        let key = key.map_err(sled_error)?;
        let Some(rest) = key.strip_prefix(prefix.as_slice()) else { break };
        let found = rest.split_first_chunk().and_then(|(at, id)| Some((keys::due_time(*at)?, id)));
        let Some((at, id)) = found else {
            return Err(StoreError::damaged(format!("the key {key:?} names no time")));
        };
        if at > until {
            break;
        }
        due.push((at, values::instance_id(id)?));
    }
    Ok(due)
}
