//! Values of any size, in pieces that are small enough for sled's log.
//!
//! sled writes a leaf of up to 16 entries as one message and moves messages of more than 128 KiB
//! into files of their own, which it never syncs. Pieces of 6 KiB keep every leaf below that.

use std::ops::Range;

use super::tree::Tree;
use crate::protocol::InstanceId;
use crate::protocol::codec::{read_value, write_value};
use crate::store::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The size of all pieces but the last.
pub(super) const PIECE: usize = 6 * 1024;

/// A value with its number; `None` if it is not wanted.
pub(super) type Numbered = (u64, Option<Vec<u8>>);

/// The first `limit` values under `prefix` and a number in `numbers`, in order. A value whose first
/// piece `is_wanted` rejects is `None`.
pub(super) fn scan(
    tree: &Tree,
    prefix: &[u8],
    numbers: Range<u64>,
    limit: usize,
    is_wanted: impl Fn(&[u8]) -> bool,
) -> Result<Vec<Numbered>, StoreError> {
    let mut values: Vec<Numbered> = Vec::new();
    let behind = |number: u64| tree.range([prefix, &number.to_be_bytes()].concat()..);
    let mut pieces = behind(numbers.start);
    while let Some(found) = pieces.next() {
        let (key, piece) = found?;
        let Some(rest) = key.strip_prefix(prefix) else { break };
        let Some((number, index)) = rest.split_first_chunk::<8>() else {
            return Err(StoreError::damaged(format!("the key {key:?} is cut short")));
        };
        let number = u64::from_be_bytes(*number);
        let is_full = values.len() == limit;
        match values.last_mut() {
            Some((last, Some(value))) if *last == number => value.extend_from_slice(&piece),
            _ if number >= numbers.end || is_full => break,
            _ if index != [0; 4] => {
                return Err(StoreError::damaged(format!("a piece before {key:?} is missing")));
            }
            _ if is_wanted(&piece) => values.push((number, Some(piece.to_vec()))),
            _ => {
                values.push((number, None));
                if piece.len() == PIECE {
                    pieces = behind(number + 1);
                }
            }
        }
    }
    Ok(values)
}

/// The instance id in the key of an instance.
pub(super) fn id_of_instance(key: &[u8]) -> Result<InstanceId, StoreError> {
    match key.split_first() {
        Some((_letter, id)) => instance_id(id),
        None => Err(StoreError::damaged("the key of an instance is empty")),
    }
}

/// The instance id in a part of a key.
pub(super) fn instance_id(bytes: &[u8]) -> Result<InstanceId, StoreError> {
    InstanceId::try_from(String::from_utf8_lossy(bytes).into_owned())
        .map_err(|error| StoreError::damaged(error.to_string()))
}

pub(super) fn read<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, StoreError> {
    read_value(bytes)
        .map_err(|error| StoreError::damaged(format!("{what} cannot be read: {error}")))
}

pub(super) fn encoded(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    write_value(&mut bytes, value)
        .map_err(|error| StoreError::damaged(format!("cannot be written: {error}")))?;
    Ok(bytes)
}
