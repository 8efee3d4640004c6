//! The value of an instance in the tree: its record, with the newest part of its history.
//!
//! ```text
//! format: 1
//! sequence: 8    the last frame that touched the instance
//! head: 35       see `body.rs`
//! record         with its length (4) before it
//! first: 8       index of the first event in the tail
//! tail           episodes, each: number of events (4), length (4), events
//! ```
//! Most instances have all of their history in the tail, so that one key is all there is of them.
//! A tail that has grown too long becomes a value of its own, of the same make.

use bytes::{Buf, BufMut, Bytes};

use super::body::{Head, Unreadable, slice};
use super::overlay::Block;
use super::values;
use crate::protocol::{FORMAT_VERSION, InstanceId};
use crate::store::StoreError;

/// How long a tail may be.
pub(super) const TAIL_MAX: usize = 3 * 1024;

#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) sequence: u64,
    pub(super) head: Head,
    pub(super) record: Bytes,
    pub(super) first: u64,
    pub(super) tail: Bytes,
}

/// How long a value is with an empty record and an empty tail.
const LENGTH_MIN: usize = 56;

impl Stored {
    /// Whether the value has more than one piece.
    pub(super) fn is_long(&self) -> bool {
        self.length() >= values::PIECE
    }

    fn length(&self) -> usize {
        LENGTH_MIN + self.record.len() + self.tail.len()
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut buffer = Vec::with_capacity(self.length());
        buffer.put_u8(FORMAT_VERSION);
        buffer.put_u64(self.sequence);
        self.head.write(&mut buffer);
        buffer.put_u32(u32::try_from(self.record.len()).unwrap_or(u32::MAX));
        buffer.put_slice(&self.record);
        buffer.put_u64(self.first);
        buffer.put_slice(&self.tail);
        buffer
    }

    pub(super) fn read(id: &InstanceId, bytes: Bytes) -> Result<Self, StoreError> {
        let read = |mut bytes: Bytes| -> Result<Self, Unreadable> {
            if bytes.try_get_u8()? != FORMAT_VERSION {
                return Err(Unreadable);
            }
            Ok(Self {
                sequence: bytes.try_get_u64()?,
                head: Head::read(&mut bytes)?,
                record: slice(&mut bytes)?,
                first: bytes.try_get_u64()?,
                tail: bytes,
            })
        };
        read(bytes).map_err(|Unreadable| {
            StoreError::damaged(format!("the value of `{id}` cannot be read"))
        })
    }
}

/// Adds an episode to a tail.
pub(super) fn push(tail: &mut Vec<u8>, block: &Block) {
    tail.put_u32(block.count);
    tail.put_u32(u32::try_from(block.events.len()).unwrap_or(u32::MAX));
    tail.put_slice(&block.events);
}

/// The episodes of a tail whose first event has the index `first`.
pub(super) fn blocks(
    id: &InstanceId,
    first: u64,
    mut tail: Bytes,
) -> Result<Vec<Block>, StoreError> {
    let mut blocks = Vec::new();
    let mut next = first;
    let mut read = || -> Result<(), Unreadable> {
        while tail.has_remaining() {
            let count = tail.try_get_u32()?;
            let events = slice(&mut tail)?;
            blocks.push(Block { first: next, count, events });
            next += u64::from(count);
        }
        Ok(())
    };
    read().map_err(|Unreadable| {
        StoreError::damaged(format!("the history of `{id}` cannot be read behind event {next}"))
    })?;
    Ok(blocks)
}
