//! Reading the log when a store is opened: which frames count, and what is damage.
//!
//! Rules:
//! 1. Frames follow each other without a gap, from the one behind what the tree has.
//! 2. What is no frame ends a segment. If the next segment has the frame that is missing there, the
//!    log goes on in it; if there is no next segment, it is the end of the log.
//! 3. Whatever is behind the end must never have been acknowledged: neither does the mark know of
//!    it, nor does a later frame say that it was durable. Else it is damage.
//! 4. What is behind the end and is not all zeros is a torn tail. It is cut, and that is reported.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::frame::{self, Found, Frame};
use super::mark;
use super::segment::{self, BadHead};
use crate::store::StoreError;
use crate::store::sled::error::log_damaged;

/// What the log holds.
#[derive(Debug, Default)]
pub(in crate::store::sled) struct Recovered {
    /// The frames that the tree does not have, in order.
    pub(in crate::store::sled) frames: Vec<Frame>,
    /// The last sequence that there is, in the log or in the tree.
    pub(in crate::store::sled) last: u64,
    /// Where a crash has torn the last frame, which nobody was told of.
    pub(in crate::store::sled) torn: Option<(PathBuf, u64)>,
    /// The first thing that is wrong, if something is; the frames are those before it.
    pub(in crate::store::sled) damage: Option<StoreError>,
    /// Frames that can be read behind that.
    pub(in crate::store::sled) behind: Vec<Frame>,
    /// The files.
    pub(super) segments: Vec<PathBuf>,
}

/// Reads the log behind the frame `applied`, which the tree has.
pub(in crate::store::sled) fn read(folder: &Path, applied: u64) -> Result<Recovered, StoreError> {
    let io = |path: &Path| {
        let doing = format!("cannot read `{}`", path.display());
        move |error| StoreError::io(doing, error)
    };
    if !folder.exists() {
        // It was there before the tree had anything, and stays for as long as the hub.
        let damage = (applied > 0).then(|| {
            let what = format!("the log is missing, and the tree has its frames up to {applied}");
            log_damaged(folder, 0, what)
        });
        return Ok(Recovered { last: applied, damage, ..Recovered::default() });
    }
    let mut reader = Reader { acknowledged: mark::read(folder), ..Reader::default() };
    reader.found.last = applied;
    let segments = segment::list(folder).map_err(io(folder))?;
    for (index, (first, path)) in segments.iter().enumerate() {
        let next = segments.get(index + 1).map(|(first, _)| *first);
        // What is only older than the tree need not be read, nor be readable.
        let is_needed = next.is_none_or(|next| next > applied + 1);
        reader.found.segments.push(path.clone());
        if is_needed {
            let bytes = Bytes::from(fs::read(path).map_err(io(path))?);
            if reader.found.damage.is_none() {
                reader.segment(path, *first, next, &bytes);
            }
            if reader.found.damage.is_some() {
                reader.found.save(&bytes);
            }
        }
    }
    reader.check_end(folder);
    Ok(reader.found)
}

impl Recovered {
    /// Keeps what can be read of a segment behind damage.
    fn save(&mut self, segment: &Bytes) {
        let last = self.last;
        self.behind.extend(frame::behind(segment, 0, |sequence| sequence > last));
    }
}

#[derive(Debug, Default)]
struct Reader {
    found: Recovered,
    /// The last frame that is known to have been durable.
    acknowledged: u64,
}

impl Reader {
    fn damaged(&mut self, path: &Path, at: usize, what: String) {
        let damage = log_damaged(path, at as u64, what);
        self.found.damage.get_or_insert(damage);
    }

    fn segment(&mut self, path: &Path, first: u64, next: Option<u64>, bytes: &Bytes) {
        if first > self.found.last + 1 {
            let what = format!(
                "it begins with frame {first}, and the frames behind {} are missing",
                self.found.last
            );
            return self.damaged(path, 0, what);
        }
        match segment::check_head(bytes) {
            Ok(()) => {}
            Err(BadHead::Damaged(what)) => return self.damaged(path, 0, what),
            Err(BadHead::Newer(error)) => {
                self.found.damage.get_or_insert(error);
                return;
            }
        }
        let (mut at, mut expected) = (segment::HEAD, first);
        while let Found::Frame(frame, behind) = frame::read(bytes, at) {
            if frame.sequence != expected {
                let what = format!("frame {} stands where {expected} belongs", frame.sequence);
                return self.damaged(path, at, what);
            }
            if expected > self.found.last {
                self.found.last = expected;
                self.found.frames.push(frame);
            }
            (at, expected) = (behind, expected + 1);
        }
        // A crash may have brought back a file that was removed when the log was written anew.
        let expected = expected.max(self.found.last + 1);
        if next.is_some_and(|next| next <= expected) {
            return;
        }
        let acknowledged = frame::behind(bytes, at, |sequence| sequence > expected)
            .map(|frame| frame.durable)
            .max();
        self.acknowledged = self.acknowledged.max(acknowledged.unwrap_or_default());
        if next.is_some() || self.acknowledged >= expected {
            let known = next.map_or(self.acknowledged, |next| next - 1);
            let what = format!(
                "frame {expected} cannot be read, and frames up to {known} were acknowledged"
            );
            self.damaged(path, at, what);
        } else if bytes[at..].iter().any(|byte| *byte != 0) {
            self.found.torn = Some((path.to_owned(), at as u64));
        }
    }

    /// The log may end too early without a trace of what is missing.
    fn check_end(&mut self, folder: &Path) {
        let (known, last) = (self.acknowledged, self.found.last);
        if known > last {
            let what = format!("all ends with frame {last}, and frame {known} was acknowledged");
            self.damaged(folder, 0, what);
        }
    }
}
