//! The layout of keys in the one sled tree.
//!
//! ```text
//! m                                       HubRecord
//! l                                       the last frame that the tree contains
//! n                                       the last frame that the index by creation contains
//! p <partition: 2>                        Epoch
//! i <instance>                            record and newest history (`stored.rs`), the first piece
//! i <instance> 00 <piece: 4>              the next pieces of it
//! a <partition: 2> <instance>             nothing: the instance is active
//! b <time: 7> <instance>                  a block of the index by creation (`creation/block.rs`)
//! d <partition: 2> <time: 8> <instance>   nothing: the instance is due at that time
//! h <instance> 00 <execution: 16> <first event: 8> <piece: 4>
//!                                         a piece of the events of some episodes
//! q <partition: 2> <position: 8> <piece: 4>
//!                                         a piece of a message that is not consumed yet
//! ```
//! Numbers are big-endian, so that keys sort as the numbers do: the code relies on that for the
//! order of creation, of due instances, of episodes, of messages, and of the pieces of one value. A time is in
//! microseconds, with its sign bit flipped so that times before 1970 come first. An instance id has
//! no control characters, so 00 ends it and sorts before the next character of any longer id:
//! records sort by id, each followed by its pieces.

use crate::protocol::{ExecutionId, InstanceId, PartitionId, Timestamp};

pub(super) const HUB: &[u8] = b"m";
pub(super) const APPLIED: &[u8] = b"l";
pub(super) const INDEXED: &[u8] = b"n";
/// The prefix of the partitions' epochs.
pub(super) const EPOCHS: &[u8] = b"p";

/// Ends an instance id that is not the end of a key.
pub(super) const END: u8 = 0;

const SIGN: u64 = 1 << 63;

pub(super) fn partition(partition: PartitionId) -> Vec<u8> {
    [EPOCHS, &partition.0.to_be_bytes()].concat()
}

/// The key of an instance's record, or the prefix of all records whose ids begin like this.
pub(super) fn instances(id: &str) -> Vec<u8> {
    [b"i", id.as_bytes()].concat()
}

/// The prefix of the further pieces of an instance's record.
pub(super) fn rest_of_instance(instance: &InstanceId) -> Vec<u8> {
    [&instances(instance.as_str()), [END].as_slice()].concat()
}

/// The prefix of a partition's active instances. A key is this prefix and an instance id.
pub(super) fn active(partition: PartitionId) -> Vec<u8> {
    [b"a".as_slice(), &partition.0.to_be_bytes()].concat()
}

pub(super) fn active_instance(partition: PartitionId, instance: &InstanceId) -> Vec<u8> {
    [&active(partition), instance.as_str().as_bytes()].concat()
}

/// The prefix of the index by creation. A key is this prefix, a bucket, and the first id of the
/// block.
pub(super) const CREATIONS: &[u8] = b"b";
/// The greatest bucket in a key.
pub(super) const BUCKET_MAX: u64 = (1 << 49) - 1;

/// The prefix of the blocks of a bucket. It has 7 bytes of 7 bits each, because sled 0.34 fails when
/// it reads backwards over keys with more than four bytes of value 255 in a row. These bytes, and the
/// UTF-8 of an id, contain none.
pub(super) fn creations(bucket: u64) -> Vec<u8> {
    let bytes = [42, 35, 28, 21, 14, 7, 0].map(|shift| (bucket >> shift).to_le_bytes()[0] & 0x7f);
    [CREATIONS, &bytes].concat()
}

/// The first possible key after the blocks of a bucket.
pub(super) fn behind_creations(bucket: u64) -> Vec<u8> {
    // No byte of an id's UTF-8 is 255.
    [creations(bucket).as_slice(), &[u8::MAX]].concat()
}

pub(super) fn block_of_creations(bucket: u64, first: &InstanceId) -> Vec<u8> {
    [creations(bucket).as_slice(), first.as_str().as_bytes()].concat()
}

/// The bucket in the key of a block.
pub(super) fn bucket_of_creations(key: &[u8]) -> Option<u64> {
    let bytes = key.strip_prefix(CREATIONS)?.first_chunk::<7>()?;
    Some(bytes.iter().fold(0, |bucket, byte| bucket << 7 | u64::from(*byte)))
}

/// A time as a number that sorts as times do.
pub(super) fn sortable(at: Timestamp) -> u64 {
    at.to_datetime().timestamp_micros().cast_unsigned() ^ SIGN
}

/// The time from which [`sortable`] made this number, if there is such a date.
pub(super) fn from_sortable(number: u64) -> Option<Timestamp> {
    Timestamp::from_micros((number ^ SIGN).cast_signed())
}

/// A time as 8 bytes that sort as times do.
fn time(at: Timestamp) -> [u8; 8] {
    sortable(at).to_be_bytes()
}

/// The prefix of a partition's due instances. A key is this prefix, a time and an instance id.
pub(super) fn due(partition: PartitionId) -> Vec<u8> {
    [b"d".as_slice(), &partition.0.to_be_bytes()].concat()
}

pub(super) fn due_instance(
    partition: PartitionId,
    at: Timestamp,
    instance: &InstanceId,
) -> Vec<u8> {
    [&due(partition), time(at).as_slice(), instance.as_str().as_bytes()].concat()
}

/// The time in a key of [`due_instance`], if there is such a date.
pub(super) fn read_time(bytes: [u8; 8]) -> Option<Timestamp> {
    from_sortable(u64::from_be_bytes(bytes))
}

/// The prefix of the histories of all executions of an instance.
pub(super) fn histories(instance: &InstanceId) -> Vec<u8> {
    [b"h", instance.as_str().as_bytes(), &[END]].concat()
}

/// The prefix of an execution's history.
pub(super) fn history(instance: &InstanceId, execution: ExecutionId) -> Vec<u8> {
    [&histories(instance), execution.as_bytes().as_slice()].concat()
}

/// The prefix of the pieces of some episodes.
pub(super) fn chunk(instance: &InstanceId, execution: ExecutionId, first: u64) -> Vec<u8> {
    [history(instance, execution).as_slice(), &first.to_be_bytes()].concat()
}

/// The first possible key after an instance's record and its further pieces.
pub(super) fn behind_instance(instance: &InstanceId) -> Vec<u8> {
    [&instances(instance.as_str()), [END + 1].as_slice()].concat()
}

/// Whether the key of a message's piece is that of its first one.
pub(super) fn is_first_piece(key: &[u8]) -> bool {
    key.ends_with(&[0; 4])
}

/// The prefix of a partition's messages.
pub(super) fn messages(partition: PartitionId) -> Vec<u8> {
    [b"q".as_slice(), &partition.0.to_be_bytes()].concat()
}

/// The prefix of a message's pieces.
pub(super) fn message(partition: PartitionId, position: u64) -> Vec<u8> {
    [messages(partition).as_slice(), &position.to_be_bytes()].concat()
}

/// The first possible key after `key`.
pub(super) fn successor(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_keys_sort_by_time_then_id_and_contain_the_time() {
        let ids = ["a", "a b", "ab", "\u{fc}"].map(|id| InstanceId::new(id).unwrap());
        let last_of_year_9999 = 253_402_300_799_999_999;
        let times = [-62_135_596_800_000_000, -256, -1, 0, 1, 255, 256, last_of_year_9999];
        let mut keys = Vec::new();
        for at in times.map(|micros| Timestamp::from_micros(micros).unwrap()) {
            for id in &ids {
                let key = due_instance(PartitionId(7), at, id);
                assert_eq!(read_time(*key[3..].first_chunk().unwrap()), Some(at));
                keys.push(key);
            }
        }
        assert!(keys.is_sorted_by(|a, b| a < b));
    }
    #[test]
    fn blocks_of_the_index_by_creation_sort_by_bucket_then_id() {
        let ids = ["a", "a b", "ab", "\u{10ffff}"].map(|id| InstanceId::new(id).unwrap());
        let mut keys = Vec::new();
        for bucket in [0, 1, 127, 128, 255, 1 << 21, BUCKET_MAX] {
            keys.push(creations(bucket));
            for id in &ids {
                let key = block_of_creations(bucket, id);
                assert_eq!(bucket_of_creations(&key), Some(bucket));
                keys.push(key);
            }
            keys.push(behind_creations(bucket));
        }
        assert!(keys.is_sorted_by(|a, b| a < b));
    }
}
