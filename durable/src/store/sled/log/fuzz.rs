//! Reading arbitrary bytes as a segment of the log.

use bytes::Bytes;

use super::frame::{self, Found, Frame};

/// The frames of a segment, and those behind its first damage.
pub(in crate::store::sled) fn frames(segment: &Bytes) -> Vec<Frame> {
    let (mut frames, mut at) = (Vec::new(), 0);
    while let Found::Frame(frame, next) = frame::read(segment, at) {
        frames.push(frame);
        at = next;
    }
    frames.extend(frame::frames_after(segment, at, |_| true));
    frames
}

/// The frame with this body, whose checksum is right.
pub(in crate::store::sled) fn with_body(body: &[u8]) -> Option<Frame> {
    let mut buffer = frame::begin();
    buffer.extend_from_slice(body);
    frame::seal(buffer, 1, 0).map(|(_, frame)| frame)
}
