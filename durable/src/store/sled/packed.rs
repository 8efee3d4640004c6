//! Compression of values in the tree: LZ4 with a dictionary of what nearly every history contains.
//!
//! Most of a short history is names of events. The dictionary is part of the format: if a byte of
//! it changed, earlier data would be unreadable.

use bytes::{Buf, BufMut, Bytes};
use lz4_flex::block;

/// Common parts of values, the most frequent last.
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

/// Appends compressed bytes to the buffer. `known` is data that they have much in common with.
pub(super) fn write(buffer: &mut Vec<u8>, known: &[u8], bytes: &[u8]) {
    buffer.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    buffer.put_slice(&block::compress_with_dict(bytes, &[DICTIONARY, known].concat()));
}

/// Reads the output of [`write`] with the same `known`. `None` if it is invalid.
pub(super) fn read(known: &[u8], mut bytes: &[u8]) -> Option<Bytes> {
    let length = bytes.try_get_u32().ok()? as usize;
    // LZ4 compresses by at most this factor, so a greater length is wrong: nothing is allocated for
    // it.
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
    fn packed_bytes_are_unpacked_unchanged() {
        let text = "OrchestratorStarted and whatever else there is. ".repeat(40);
        for length in [0, 1, 3, 4, 100, text.len()] {
            let mut buffer = Vec::new();
            write(&mut buffer, b"some text", &text.as_bytes()[..length]);
            assert_eq!(read(b"some text", &buffer).as_deref(), Some(&text.as_bytes()[..length]));
        }
    }

    #[test]
    fn invalid_packed_bytes_do_not_panic() {
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

    /// Format 1 has this dictionary.
    #[test]
    fn the_dictionary_never_changes() {
        assert_eq!(crc32fast::hash(DICTIONARY), 2_059_196_222);
    }
}
