//! The index by creation in the tree: blocks of entries.
//!
//! Time is divided into buckets of about a quarter of a second. A block contains some of the
//! orchestrations that were created in one bucket, sorted by id, and its key is the bucket and an id
//! that is not greater than any in the block. A checkpoint writes instances in the order of their
//! ids and one block per bucket and batch, so blocks of the same bucket may overlap: a reader reads
//! all blocks of a bucket and sorts the entries. One key per instance instead would double the work
//! of a checkpoint of new instances.

use std::ops::RangeInclusive;

use super::super::base::Base;
use super::super::{keys, values};
use super::scan::Scan;
use crate::protocol::{InstanceId, Timestamp};
use crate::store::{Creation, CreationOrder, StoreError};

/// A bucket is 2^18 microseconds.
const BUCKET_BITS: u32 = 18;
const IN_BUCKET: u64 = (1 << BUCKET_BITS) - 1;

/// The number of a period of time.
pub(super) type Bucket = u64;

/// The microseconds since the start of the bucket in which an orchestration was created, and its id.
pub(in super::super) type Entry = (u32, InstanceId);

/// The bucket and the entry of an orchestration.
pub(super) fn entry((at, id): &Creation) -> (Bucket, Entry) {
    let micros = keys::sortable(*at);
    (micros >> BUCKET_BITS, (low_bits(micros & IN_BUCKET), id.clone()))
}

#[allow(clippy::cast_possible_truncation)] // A bucket has fewer bits.
fn low_bits(micros: u64) -> u32 {
    micros as u32
}

fn bucket_of(at: Timestamp) -> Bucket {
    keys::sortable(at) >> BUCKET_BITS
}

fn creation(bucket: Bucket, (offset, id): Entry) -> Result<Creation, StoreError> {
    match keys::from_sortable(bucket << BUCKET_BITS | u64::from(offset)) {
        Some(at) => Ok((at, id)),
        None => Err(StoreError::damaged(format!("`{id}` was created at no possible time"))),
    }
}

/// Entries as they are stored: for each the microseconds (4 bytes), the id, and `END`.
pub(super) fn write(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.iter().map(size).sum());
    for (offset, id) in entries {
        bytes.extend_from_slice(&offset.to_be_bytes());
        bytes.extend_from_slice(id.as_str().as_bytes());
        bytes.push(keys::END);
    }
    bytes
}

/// The bytes that an entry takes.
pub(super) fn size((_, id): &Entry) -> usize {
    size_of::<u32>() + id.as_str().len() + 1
}

pub(in super::super) fn read(mut bytes: &[u8]) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let found = bytes.split_first_chunk().and_then(|(offset, rest)| {
            let end = rest.iter().position(|byte| *byte == keys::END)?;
            Some((u32::from_be_bytes(*offset), &rest[..end], &rest[end + 1..]))
        });
        let Some((offset, id, rest)) = found else {
            return Err(StoreError::damaged("a block of the index by creation is cut short"));
        };
        entries.push((offset, values::instance_id(id)?));
        bytes = rest;
    }
    Ok(entries)
}

/// The first `limit` positions of a scan.
pub(in super::super) fn first(
    base: &Base,
    scan: &Scan,
    limit: usize,
) -> Result<Vec<Creation>, StoreError> {
    // A scan by sled may see a part of a batch.
    let _whole = base.between_batches();
    let (from, to) = scan.bounds();
    let mut buckets = from.map_or(0, bucket_of)..=to.map_or(keys::BUCKET_MAX, bucket_of);
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(bucket) = next_bucket(base, &buckets, scan.order)?
    {
        let mut entries = Vec::new();
        for block in base.tree.scan_prefix(keys::creations(bucket)).values() {
            for entry in read(&block?)? {
                entries.push(creation(bucket, entry)?);
            }
        }
        entries.retain(|creation| scan.contains(creation));
        entries.sort_unstable();
        buckets = match scan.order {
            CreationOrder::OldestFirst => bucket + 1..=*buckets.end(),
            CreationOrder::NewestFirst => {
                entries.reverse();
                let Some(before) = bucket.checked_sub(1) else { break };
                *buckets.start()..=before
            }
        };
        entries.truncate(limit - found.len());
        found.append(&mut entries);
    }
    Ok(found)
}

/// The first bucket with a block.
fn next_bucket(
    base: &Base,
    buckets: &RangeInclusive<Bucket>,
    order: CreationOrder,
) -> Result<Option<Bucket>, StoreError> {
    if buckets.is_empty() {
        return Ok(None);
    }
    let mut keys = base
        .tree
        .range(keys::creations(*buckets.start())..keys::behind_creations(*buckets.end()))
        .keys();
    let key = match order {
        CreationOrder::OldestFirst => keys.next(),
        CreationOrder::NewestFirst => keys.next_back(),
    };
    let Some(key) = key.transpose()? else { return Ok(None) };
    match keys::bucket_of_creations(&key) {
        Some(bucket) => Ok(Some(bucket)),
        None => Err(StoreError::damaged(format!("the key {key:?} is cut short"))),
    }
}

/// The number of orchestrations in the index.
pub(in super::super) fn count(base: &Base) -> Result<usize, StoreError> {
    let blocks = base.tree.scan_prefix(keys::CREATIONS).values();
    let entries = blocks.map(|block| Ok(read(&block?)?.len()));
    entries.sum()
}
