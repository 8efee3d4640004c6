//! The stored form of histories: blocks, each with the events of an episode, preceded by its
//! length.

use durable::protocol::{HistoryEvent, codec};
use durable::store::StoreError;

/// Encodes events as a block, or as nothing if there are no events.
pub(crate) fn encode(events: &[HistoryEvent]) -> Result<Vec<u8>, StoreError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let events = codec::encode(events)?;
    let length = u32::try_from(events.len());
    let length = length.map_err(|_| StoreError::damaged("an episode of more than 4 GiB"))?;
    Ok([&length.to_be_bytes()[..], &events].concat())
}

/// The events of all blocks.
pub(crate) fn decode(mut blocks: &[u8]) -> Result<Vec<HistoryEvent>, StoreError> {
    let mut events = Vec::new();
    while let Some((length, rest)) = blocks.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((block, rest)) = rest.split_at_checked(length) else { break };
        events.extend(codec::decode::<Vec<HistoryEvent>>(block)?);
        blocks = rest;
    }
    if blocks.is_empty() {
        Ok(events)
    } else {
        Err(StoreError::damaged("a part of a history ends in the middle of an episode"))
    }
}
