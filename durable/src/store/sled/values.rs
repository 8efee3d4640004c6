//! Values of any size, in pieces that sled keeps in its log.
//!
//! sled writes a leaf of up to 16 entries as one message and moves messages of more than 128 KiB
//! into files of their own, which it never syncs. Pieces of 6 KiB keep every leaf below that.

use serde::de::DeserializeOwned;
use sled::{Batch, Tree};

use super::disk::sled_error;
use crate::protocol::decode;
use crate::store::StoreError;

const PIECE: usize = 6 * 1024;

/// Writes a value under a prefix whose last eight bytes are a number.
pub(super) fn put(batch: &mut Batch, prefix: &[u8], value: &[u8]) {
    for (index, piece) in (0_u32..).zip(value.chunks(PIECE)) {
        batch.insert([prefix, &index.to_be_bytes()].concat(), piece);
    }
}

/// Removes what [`put`] wrote, be it in the tree or in the batch.
pub(super) fn remove(tree: &Tree, batch: &mut Batch, prefix: &[u8]) -> Result<(), StoreError> {
    for key in tree.scan_prefix(prefix).keys() {
        batch.remove(key.map_err(sled_error)?);
    }
    Ok(())
}

/// All values under `prefix` whose number is at least `from`, in order, each with its number.
pub(super) fn scan(
    tree: &Tree,
    prefix: &[u8],
    from: u64,
) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let mut values: Vec<(u64, Vec<u8>)> = Vec::new();
    for found in tree.range([prefix, &from.to_be_bytes()].concat()..) {
        let (key, piece) = found.map_err(sled_error)?;
        let Some(rest) = key.strip_prefix(prefix) else { break };
        let Some((number, index)) = rest.split_first_chunk::<8>() else {
            return Err(StoreError::damaged(format!("the key {key:?} is cut short")));
        };
        let number = u64::from_be_bytes(*number);
        match values.last_mut() {
            Some((last, value)) if *last == number => value.extend_from_slice(&piece),
            _ if index == [0; 4] => values.push((number, piece.to_vec())),
            _ => return Err(StoreError::damaged(format!("a piece before {key:?} is missing"))),
        }
    }
    Ok(values)
}

pub(super) fn read<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, StoreError> {
    decode(bytes).map_err(|error| StoreError::damaged(format!("{what} cannot be read: {error}")))
}
