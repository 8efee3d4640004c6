//! A frame: one commit in the log, with a checksum.
//!
//! ```text
//! crc: 4         of everything after it, without the padding
//! length: 4      of the body
//! sequence: 8    counts the frames of the hub, from 1
//! durable: 8     the last frame that was durable when this one was written
//! body
//! zeros up to the next multiple of 8
//! ```
//! Numbers are big-endian. Unused space is zeros, so a header of zeros is not a frame.

use bytes::{Buf, BufMut, Bytes};

const HEADER: usize = 24;

/// Frames begin at multiples of this, which bounds a search.
pub(super) const ALIGNMENT: usize = 8;

/// A valid frame.
#[derive(Clone, Debug)]
pub(in crate::store::sled) struct Frame {
    pub(in crate::store::sled) sequence: u64,
    pub(super) durable: u64,
    pub(in crate::store::sled) body: Bytes,
}

impl Frame {
    /// The frame as it is written again, when all frames before it are durable.
    pub(super) fn again(&self) -> Option<Bytes> {
        let mut buffer = begin();
        buffer.extend_from_slice(&self.body);
        seal(buffer, self.sequence, self.sequence - 1).map(|(bytes, _)| bytes)
    }
}

/// The content at an offset of a segment.
#[derive(Debug)]
pub(super) enum Found {
    /// A frame, and the offset of the next one.
    Frame(Frame, usize),
    /// Never written.
    Nothing,
    /// Bytes that are not a valid frame.
    Broken,
}

/// A buffer for a body, which begins with room for the header.
pub(in crate::store::sled) fn begin() -> Vec<u8> {
    vec![0; HEADER]
}

/// The length of the frame that a buffer from [`begin`] becomes.
pub(super) fn length(buffer: &[u8]) -> usize {
    buffer.len().next_multiple_of(ALIGNMENT)
}

/// Turns a buffer from [`begin`] with a body into a frame. Returns the bytes to write, and the
/// frame as it will be read. `None` if the body is too long for a frame.
pub(super) fn seal(mut buffer: Vec<u8>, sequence: u64, durable: u64) -> Option<(Bytes, Frame)> {
    let end = buffer.len();
    let length = u32::try_from(end - HEADER).ok()?;
    let mut header = Vec::with_capacity(HEADER);
    header.put_u32(0);
    header.put_u32(length);
    header.put_u64(sequence);
    header.put_u64(durable);
    buffer[..HEADER].copy_from_slice(&header);
    let crc = crc32fast::hash(&buffer[4..]);
    buffer[..4].copy_from_slice(&crc.to_be_bytes());
    buffer.resize(self::length(&buffer), 0);
    // The overlay keeps slices of it until the next checkpoint.
    buffer.shrink_to_fit();
    let bytes = Bytes::from(buffer);
    let body = bytes.slice(HEADER..end);
    Some((bytes, Frame { sequence, durable, body }))
}

/// Reads the frame at the offset `at`.
pub(super) fn read(segment: &Bytes, at: usize) -> Found {
    let Some(rest) = segment.get(at..).filter(|rest| rest.len() >= HEADER) else {
        return match segment.get(at..) {
            Some(rest) if rest.iter().any(|byte| *byte != 0) => Found::Broken,
            _ => Found::Nothing,
        };
    };
    if rest[..HEADER].iter().all(|byte| *byte == 0) {
        return Found::Nothing;
    }
    let mut header = &rest[..HEADER];
    let (crc, length) = (header.get_u32(), header.get_u32() as usize);
    let (sequence, durable) = (header.get_u64(), header.get_u64());
    let Some(end) = HEADER.checked_add(length).filter(|end| *end <= rest.len()) else {
        return Found::Broken;
    };
    if crc32fast::hash(&rest[4..end]) != crc {
        return Found::Broken;
    }
    let body = segment.slice(at + HEADER..at + end);
    Found::Frame(Frame { sequence, durable, body }, at + end.next_multiple_of(ALIGNMENT))
}

/// Searches for frames with one of these sequences after the offset `at`, where there is damage.
pub(super) fn frames_after(
    segment: &Bytes,
    at: usize,
    sequences: impl Fn(u64) -> bool,
) -> impl Iterator<Item = Frame> {
    let places = (at..segment.len().saturating_sub(HEADER)).step_by(ALIGNMENT).skip(1);
    places.filter_map(move |at| {
        // The sequence rules out nearly all offsets, so few checksums are computed.
        let mut sequence = segment.get(at + 8..at + 16)?;
        if !sequences(sequence.get_u64()) {
            return None;
        }
        match read(segment, at) {
            Found::Frame(frame, _next) => Some(frame),
            Found::Nothing | Found::Broken => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(sequence: u64, body: &[u8]) -> Bytes {
        let mut buffer = begin();
        buffer.extend_from_slice(body);
        seal(buffer, sequence, sequence - 1).unwrap().0
    }

    #[test]
    fn frames_are_read_as_they_were_written() {
        let written: Vec<u8> =
            [frame(7, b"a body"), frame(8, b""), Bytes::from(vec![0; 40])].concat();
        let segment = Bytes::from(written);
        let Found::Frame(first, next) = read(&segment, 0) else { panic!() };
        assert_eq!((first.sequence, first.durable, &first.body[..]), (7, 6, &b"a body"[..]));
        let Found::Frame(second, next) = read(&segment, next) else { panic!() };
        assert_eq!((second.sequence, &second.body[..]), (8, &b""[..]));
        assert!(matches!(read(&segment, next), Found::Nothing));
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_detected() {
        let whole = frame(3, b"some body of some length");
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let found = read(&Bytes::from(bytes), 0);
            assert!(matches!(found, Found::Broken), "bit {bit}");
        }
        for length in 1..whole.len() {
            assert!(!matches!(read(&whole.slice(..length), 0), Found::Frame(..)), "{length}");
        }
    }

    #[test]
    fn frames_after_a_damaged_one_are_found() {
        let mut bytes = [frame(1, b"first"), frame(2, b"second"), frame(3, b"third")].concat();
        bytes[5] ^= 0xff;
        let segment = Bytes::from(bytes);
        let found = frames_after(&segment, 0, |sequence| sequence >= 2).map(|frame| frame.sequence);
        assert_eq!(found.collect::<Vec<_>>(), [2, 3]);
    }
}
