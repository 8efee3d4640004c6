//! The value of an instance in the tree: its record, with the newest part of its history.
//!
//! ```text
//! format: 1
//! sequence: 8    the last frame that touched the instance
//! head: 35       see `body.rs`
//! first: 8       index of the first event in the tail
//! packed         the rest: record, with its length (4) before it, and tail
//! tail           episodes, each: number of events (4), length (4), events
//! ```
//! Most instances have their whole history in the tail, so that they occupy a single key.
//! A tail that has grown too long becomes a value of its own, of the same form.

use std::ops::Range;

use bytes::{Buf, BufMut, Bytes};
use sled::IVec;

use super::body::{Head, Unreadable, slice};
use super::overlay::Block;
use super::packed;
use crate::protocol::{FORMAT_VERSION, InstanceId};
use crate::store::StoreError;

#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) sequence: u64,
    pub(super) head: Head,
    pub(super) record: Bytes,
    pub(super) first: u64,
    pub(super) tail: Bytes,
    /// Whether it was read from more than one piece.
    pub(super) is_long: bool,
}

/// Where a history is: chunks in the tree first, then blocks of overlays.
#[derive(Debug)]
pub(super) struct Parts {
    /// The keys of the chunks' pieces.
    pub(super) chunks: Range<Vec<u8>>,
    /// Blocks of chunks from this event on are in `blocks` as well, because a checkpoint has moved them
    /// to the tree while an overlay still contains them.
    pub(super) until: u64,
    /// The blocks after the chunks, in order.
    pub(super) blocks: Vec<Block>,
}

/// A key of the tree, and the piece of a chunk under it.
pub(super) type Piece = (IVec, IVec);

impl Stored {
    pub(super) fn write(&self, id: &InstanceId) -> Vec<u8> {
        let mut buffer = Vec::with_capacity(128 + self.record.len() + self.tail.len());
        buffer.put_u8(FORMAT_VERSION);
        buffer.put_u64(self.sequence);
        self.head.write(&mut buffer);
        buffer.put_u64(self.first);
        let mut rest = Vec::with_capacity(4 + self.record.len() + self.tail.len());
        rest.put_u32(u32::try_from(self.record.len()).unwrap_or(u32::MAX));
        rest.put_slice(&self.record);
        rest.put_slice(&self.tail);
        packed::write(&mut buffer, &known(id, &self.head), &rest);
        buffer
    }

    pub(super) fn read(id: &InstanceId, bytes: &[u8]) -> Result<Self, StoreError> {
        let read = |mut bytes: &[u8]| -> Result<Self, Unreadable> {
            let (sequence, head) = read_head(&mut bytes)?;
            let first = bytes.try_get_u64()?;
            let mut rest = packed::read(&known(id, &head), bytes).ok_or(Unreadable)?;
            let record = slice(&mut rest)?;
            let is_long = false;
            Ok(Self { sequence, head, first, record, tail: rest, is_long })
        };
        read(bytes).map_err(|Unreadable| unreadable(id))
    }
}

/// The part of the rest that is known before it is read, used as a dictionary.
fn known(id: &InstanceId, head: &Head) -> Vec<u8> {
    [id.as_str().as_bytes(), head.execution.as_bytes()].concat()
}

/// Which frame touched an instance last, and its head.
pub(super) fn head(id: &InstanceId, mut bytes: &[u8]) -> Result<(u64, Head), StoreError> {
    read_head(&mut bytes).map_err(|Unreadable| unreadable(id))
}

fn read_head(bytes: &mut &[u8]) -> Result<(u64, Head), Unreadable> {
    if bytes.try_get_u8()? != FORMAT_VERSION {
        return Err(Unreadable);
    }
    Ok((bytes.try_get_u64()?, Head::read(bytes)?))
}

fn unreadable(id: &InstanceId) -> StoreError {
    StoreError::damaged(format!("the value of `{id}` cannot be read"))
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
        StoreError::damaged(format!("the history of `{id}` cannot be read after event {next}"))
    })?;
    Ok(blocks)
}

/// A tail that has become a value of its own.
pub(super) fn write_chunk(tail: &[u8]) -> Vec<u8> {
    let mut buffer = vec![FORMAT_VERSION];
    packed::write(&mut buffer, &[], tail);
    buffer
}

pub(super) fn read_chunk(id: &InstanceId, chunk: &[u8]) -> Result<Bytes, StoreError> {
    let tail = match chunk.split_first() {
        Some((&FORMAT_VERSION, packed)) => packed::read(&[], packed),
        _ => None,
    };
    tail.ok_or_else(|| {
        StoreError::damaged(format!("a part of the history of `{id}` is unreadable"))
    })
}
