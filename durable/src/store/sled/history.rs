//! Reading a history, page by page, so that commits do not wait for a large one.
//!
//! Commits wait while a [`View`] is held. Therefore the part of a history that is in the tree is
//! read in pages, each with its own view, and unpacked without one. Episodes that are appended in
//! between do not affect the result. If the instance was changed in another way, the pages may not
//! match, and the whole history is read again with a single view.

use std::ops::Range;

use super::base::Base;
use super::keys;
use super::overlay::Block;
use super::stored::{self, Parts, Piece};
use super::view::View;
use crate::protocol::{ExecutionId, InstanceId};
use crate::store::StoreError;

/// Number of bytes that are read with one view.
const PAGE: usize = 256 * 1024;

/// The episodes of an execution with events in `indices`, in order.
pub(super) fn read<'a>(
    view: impl Fn() -> View<'a>,
    id: &InstanceId,
    execution: ExecutionId,
    indices: Range<u64>,
) -> Result<Vec<Block>, StoreError> {
    let (parts, pieces) = match read_in_pages(&view, id, execution, &indices)? {
        Some(read) => read,
        None => read_at_once(&view(), id, execution, &indices)?,
    };
    blocks(id, parts, pieces, indices)
}

/// As [`read`], with a single view, to the end of the history.
pub(super) fn of_view(
    view: &View<'_>,
    id: &InstanceId,
    execution: ExecutionId,
    from: u64,
) -> Result<Vec<Block>, StoreError> {
    let indices = from..u64::MAX;
    let (parts, pieces) = read_at_once(view, id, execution, &indices)?;
    blocks(id, parts, pieces, indices)
}

fn read_at_once(
    view: &View<'_>,
    id: &InstanceId,
    execution: ExecutionId,
    indices: &Range<u64>,
) -> Result<(Parts, Vec<Piece>), StoreError> {
    let mut parts = parts(view, id, execution, indices)?;
    let mut pieces = Vec::new();
    while next_page(view.base, &mut parts, &mut pieces)? {}
    Ok((parts, pieces))
}

/// `None` if the instance was changed in the meantime.
fn read_in_pages<'a>(
    view: impl Fn() -> View<'a>,
    id: &InstanceId,
    execution: ExecutionId,
    indices: &Range<u64>,
) -> Result<Option<(Parts, Vec<Piece>)>, StoreError> {
    let touched_by = |view: &View<'_>| -> Result<_, StoreError> {
        Ok(view.head(id)?.map(|(sequence, _)| sequence))
    };
    let first = view();
    let mut parts = parts(&first, id, execution, indices)?;
    let mut pieces = Vec::new();
    let mut more = next_page(first.base, &mut parts, &mut pieces)?;
    if !more {
        return Ok(Some((parts, pieces)));
    }
    let before = touched_by(&first)?;
    drop(first);
    while more {
        let view = view();
        if touched_by(&view)? != before {
            return Ok(None);
        }
        more = next_page(view.base, &mut parts, &mut pieces)?;
    }
    Ok(Some((parts, pieces)))
}

/// Where the events in `indices` are. The first and the last block may contain others as well.
fn parts(
    view: &View<'_>,
    id: &InstanceId,
    execution: ExecutionId,
    indices: &Range<u64>,
) -> Result<Parts, StoreError> {
    let mut parts = view.parts(id, execution, indices.start)?;
    let end = keys::chunk(id, execution, indices.end);
    if end < parts.chunks.end {
        parts.chunks.end = end;
    }
    Ok(parts)
}

/// Reads the next page of chunks. Returns `false` if none was left.
fn next_page(base: &Base, parts: &mut Parts, pieces: &mut Vec<Piece>) -> Result<bool, StoreError> {
    if parts.chunks.is_empty() {
        return Ok(false);
    }
    let page = base.pieces(&parts.chunks, PAGE)?;
    let Some((last, _)) = page.last() else { return Ok(false) };
    parts.chunks.start = keys::successor(last.to_vec());
    pieces.extend(page);
    Ok(true)
}

/// Unpacks chunks, and appends the blocks.
fn blocks(
    id: &InstanceId,
    parts: Parts,
    pieces: Vec<Piece>,
    indices: Range<u64>,
) -> Result<Vec<Block>, StoreError> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut chunk: Option<Chunk> = None;
    for (key, piece) in pieces {
        let (first, index) = numbers(&key)?;
        match &mut chunk {
            Some(chunk) if chunk.first == first && chunk.pieces == index => chunk.push(&piece),
            _ if index == 0 => {
                let whole = chunk.replace(Chunk { first, pieces: 1, bytes: piece.to_vec() });
                whole.map_or(Ok(()), |whole| whole.unpack(id, &mut blocks))?;
            }
            _ => {
                return Err(StoreError::damaged(format!("a piece before {key:?} is missing")));
            }
        }
    }
    chunk.map_or(Ok(()), |whole| whole.unpack(id, &mut blocks))?;
    blocks.retain(|block| block.first < parts.until);
    blocks.extend(parts.blocks);
    let ends_behind = |block: &Block| block.first + u64::from(block.count) > indices.start;
    blocks.retain(|block| block.first < indices.end && ends_behind(block));
    Ok(blocks)
}

/// A chunk put together from its pieces.
struct Chunk {
    /// Index of the first event.
    first: u64,
    pieces: u32,
    bytes: Vec<u8>,
}

impl Chunk {
    fn push(&mut self, piece: &[u8]) {
        self.pieces += 1;
        self.bytes.extend_from_slice(piece);
    }

    fn unpack(self, id: &InstanceId, blocks: &mut Vec<Block>) -> Result<(), StoreError> {
        blocks.extend(stored::blocks(id, self.first, stored::read_chunk(id, &self.bytes)?)?);
        Ok(())
    }
}

/// The first event of a chunk and the number of the piece, from the key.
fn numbers(key: &[u8]) -> Result<(u64, u32), StoreError> {
    let index = key.split_last_chunk::<4>();
    let first = index.and_then(|(rest, index)| Some((rest.last_chunk::<8>()?, index)));
    let Some((first, index)) = first else {
        return Err(StoreError::damaged(format!("the key {key:?} is cut short")));
    };
    Ok((u64::from_be_bytes(*first), u32::from_be_bytes(*index)))
}
