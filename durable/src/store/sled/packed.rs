//! Bytes made smaller, for the tree: LZ4 with a dictionary of what nearly every history contains.
//!
//! Names of events are most of a short history. The dictionary is part of the format: a byte of it
//! that changes makes unreadable what was written before.

use bytes::{Buf, BufMut, Bytes};
use lz4_flex::block;

/// What values of the tree have in common, the most frequent last.
const DICTIONARY: &[u8] = b"\
    \xaaTerminated\xa9Suspended\xa6Failed\xbbSubOrchestrationInstanceFailed\xb9ExecutionContinuedAsNew\
    \xb3ExecutionTerminated\xb2ExecutionSuspended\xb0ExecutionResumed\xb0ExecutionRewound\xacGenericEvent\
    \xa9EventSent\xd9\"SubOrchestrationInstanceCompleted\xbfSubOrchestrationInstanceCreated\
    \xb1TaskAttemptFailed\xaaTaskFailed\xacEventRaised\xaaTimerFired\x92\xacTimerCreated\x92\xd3\0\x06\
    src/main.rs:src/bin/.rs:\xa7Pending\xa7Running\xa9Completed\x90\xc0\xc0\x80\x80\
    \x93\xff\xd3\0\x06\x81\xb0ExecutionStarted\x9b\xa4null\xc4\x10\
    \x93\xff\xd3\0\x06\x81\xb2ExecutionCompleted\x93\xa9Completed\
    \x93\xff\xd3\0\x06\x81\xadTaskCompleted\x92\x93\0\xd3\0\x06\x81\xadTaskScheduled\x95\
    \x94\x93\xff\xd3\0\x06\xb3OrchestratorStarted\x93\xff\xd3\0\x06\xb5OrchestratorCompleted";

/// Writes bytes behind what is in the buffer. They may have much in common with `known`.
pub(super) fn write(buffer: &mut Vec<u8>, known: &[u8], bytes: &[u8]) {
    buffer.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    buffer.put_slice(&block::compress_with_dict(bytes, &[DICTIONARY, known].concat()));
}

/// Reads what [`write`] has written with the same `known`, if it can be read.
pub(super) fn read(known: &[u8], mut bytes: &[u8]) -> Option<Bytes> {
    let length = bytes.try_get_u32().ok()? as usize;
    // LZ4 makes nothing smaller than by this, so what says more is not read into memory at all.
    if length / 255 > bytes.len() {
        return None;
    }
    let dictionary = [DICTIONARY, known].concat();
    let read = block::decompress_with_dict(bytes, length, &dictionary).ok()?;
    (read.len() == length).then(|| read.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_were() {
        let text = "OrchestratorStarted and whatever else there is. ".repeat(40);
        for length in [0, 1, 3, 4, 100, text.len()] {
            let mut buffer = Vec::new();
            write(&mut buffer, b"some text", &text.as_bytes()[..length]);
            assert_eq!(read(b"some text", &buffer).as_deref(), Some(&text.as_bytes()[..length]));
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_panic() {
        let mut buffer = Vec::new();
        write(&mut buffer, b"", b"OrchestratorStarted, OrchestratorCompleted, and something else");
        for length in 0..buffer.len() {
            assert_eq!(read(b"", &buffer[..length]), None);
        }
        for byte in 0..buffer.len() {
            let mut flipped = buffer.clone();
            flipped[byte] ^= 0xff;
            let _ = read(b"", &flipped);
        }
    }

    /// The dictionary of format 1, for ever.
    #[test]
    fn the_dictionary_never_changes() {
        assert_eq!(crc32fast::hash(DICTIONARY), 2_059_196_222);
    }
}
