//! Keys of one column: numbers are big-endian, so keys sort in numeric order.

use durable::InstanceId;
use durable::protocol::{PartitionId, Timestamp};
use durable::store::StoreError;
use uuid::Uuid;

/// A prefix of all keys of a partition.
pub(crate) fn partition(partition: PartitionId) -> Vec<u8> {
    partition.0.to_be_bytes().to_vec()
}

/// A key after all keys of a partition.
pub(crate) fn end(partition: PartitionId) -> Vec<u8> {
    // Longer than the prefix with the largest number, and no id begins with this byte.
    let mut key = self::partition(partition);
    key.extend([0xff; 9]);
    key
}

pub(crate) fn active(partition: PartitionId, id: &InstanceId) -> Vec<u8> {
    [&partition.0.to_be_bytes()[..], id.as_str().as_bytes()].concat()
}

pub(crate) fn due(partition: PartitionId, at: Timestamp, id: &InstanceId) -> Vec<u8> {
    [&due_until(partition, at)[..], id.as_str().as_bytes()].concat()
}

/// A prefix of the keys of instances that are due at this time.
pub(crate) fn due_until(partition: PartitionId, at: Timestamp) -> Vec<u8> {
    // With the sign bit flipped, times before 1970 sort first.
    let time = at.to_datetime().timestamp_micros().cast_unsigned() ^ (1 << 63);
    [&partition.0.to_be_bytes()[..], &time.to_be_bytes()].concat()
}

pub(crate) fn message(partition: PartitionId, position: u64) -> Vec<u8> {
    [&partition.0.to_be_bytes()[..], &position.to_be_bytes()].concat()
}

/// The prefix of the keys of rows that are queued for a node. No partition has this number.
pub(crate) fn node(node: Uuid) -> Vec<u8> {
    [&[0xff, 0xff], &node.as_bytes()[..]].concat()
}

/// A key of the table `outbox`. The target is a partition or a node.
pub(crate) fn queued(target: &[u8], stream: u64, number: u64) -> Vec<u8> {
    [target, &stream.to_be_bytes(), &number.to_be_bytes()].concat()
}

/// The target, the stream and the number in a key of `outbox`.
pub(crate) fn read_queued(key: &[u8]) -> Result<(&[u8], u64, u64), StoreError> {
    let damaged = || StoreError::damaged("a key of the table `outbox` has no number");
    let (rest, number) = key.split_last_chunk::<8>().ok_or_else(damaged)?;
    let (target, stream) = rest.split_last_chunk::<8>().ok_or_else(damaged)?;
    if !matches!(target.len(), 2 | 18) {
        return Err(StoreError::damaged("a key of the table `outbox` names no target"));
    }
    Ok((target, u64::from_be_bytes(*stream), u64::from_be_bytes(*number)))
}

/// The partition in a key.
pub(crate) fn read_partition(key: &[u8]) -> Result<PartitionId, StoreError> {
    let partition = key.first_chunk::<2>().map(|partition| u16::from_be_bytes(*partition));
    partition.map(PartitionId).ok_or_else(|| StoreError::damaged("a key has no partition"))
}

/// The instance in a key of `active`.
pub(crate) fn read_active(key: &[u8]) -> Result<InstanceId, StoreError> {
    instance_id(key.get(2..).unwrap_or_default())
}

/// The time and the instance in a key of `due`.
pub(crate) fn read_due(key: &[u8]) -> Result<(Timestamp, InstanceId), StoreError> {
    let time = key.get(2..10).and_then(|time| time.try_into().ok()).map(u64::from_be_bytes);
    let micros = time.map(|time| (time ^ (1 << 63)).cast_signed());
    let at = micros.and_then(Timestamp::from_micros);
    let at = at.ok_or_else(|| StoreError::damaged("a key of the table `due` has no time"))?;
    Ok((at, instance_id(&key[10..])?))
}

/// The position in a key of `message`.
pub(crate) fn read_position(key: &[u8]) -> Result<u64, StoreError> {
    let position = key.get(2..).and_then(|position| position.try_into().ok());
    let damaged = || StoreError::damaged("a key of the table `message` has no position");
    position.map(u64::from_be_bytes).ok_or_else(damaged)
}

fn instance_id(id: &[u8]) -> Result<InstanceId, StoreError> {
    let id = String::from_utf8_lossy(id).into_owned();
    InstanceId::try_from(id).map_err(|error| StoreError::damaged(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_their_parts_and_are_read_back() {
        let id = |id: &str| InstanceId::new(id).unwrap();
        let at = |micros| Timestamp::from_micros(micros).unwrap();
        let mut parts = Vec::new();
        for partition in [0, 1, 255, 256, u16::MAX] {
            for micros in [-62_135_596_800_000_000, -1, 0, 1, 1_767_484_800_000_000] {
                for name in ["a", "b", "order-17"] {
                    parts.push((PartitionId(partition), at(micros), id(name)));
                }
            }
        }
        assert!(parts.is_sorted());
        let keys: Vec<_> =
            parts.iter().map(|(partition, at, id)| due(*partition, *at, id)).collect();
        assert!(keys.is_sorted());
        for ((owner, at, id), key) in parts.iter().zip(&keys) {
            assert_eq!(read_due(key).unwrap(), (*at, id.clone()));
            assert!(partition(*owner) <= *key && *key < end(*owner));
            assert_eq!(read_active(&active(*owner, id)).unwrap(), *id);
        }
        for position in [0, 1, 1 << 32, u64::MAX] {
            let key = message(PartitionId(7), position);
            assert_eq!(read_position(&key).unwrap(), position);
            assert!(partition(PartitionId(7)) < key && key < end(PartitionId(7)));
            assert_eq!(read_partition(&key).unwrap(), PartitionId(7));
        }
        for target in [partition(PartitionId(7)), node(Uuid::from_u128(7))] {
            let key = queued(&target, 3, 1 << 40);
            assert_eq!(read_queued(&key).unwrap(), (&target[..], 3, 1 << 40));
        }
        let error = read_due(&[0, 1, 2]).unwrap_err().to_string();
        assert!(error.contains("a key of the table `due` has no time"), "{error}");
        let error = read_position(&[0, 1, 2]).unwrap_err().to_string();
        assert!(error.contains("a key of the table `message` has no position"), "{error}");
    }
}
