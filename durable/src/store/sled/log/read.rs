//! Reading the log when a store is opened: which frames are valid, and what is damage.
//!
//! Rules:
//! 1. The sequences of frames have no gap, and begin after the last frame that is in the tree.
//! 2. Bytes that are not a frame end a segment. If the next segment begins with the next sequence,
//!    the log continues there. Without a next segment, the log ends.
//! 3. Nothing after the end may have been acknowledged, as the mark and the field `durable` of
//!    later frames tell. If something was, the log is damaged.
//! 4. Bytes after the end that are not zero are a torn tail. It is cut off, and that is reported.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::frame::{self, Found, Frame};
use super::mark;
use super::segment::{self, BadHead};
use crate::store::StoreError;
use crate::store::sled::disk::Disk;
use crate::store::sled::error::log_damaged;

/// The content of the log.
#[derive(Debug, Default)]
pub(in crate::store::sled) struct Recovered {
    /// The frames that are not in the tree yet, in order.
    pub(in crate::store::sled) frames: Vec<Frame>,
    /// The last sequence in the log or in the tree.
    pub(in crate::store::sled) last: u64,
    /// Where a crash has torn the last frame, which was never acknowledged.
    pub(in crate::store::sled) torn: Option<(PathBuf, u64)>,
    /// The first damage. `frames` are those before it.
    pub(in crate::store::sled) damage: Option<StoreError>,
    /// Readable frames after the damage.
    pub(in crate::store::sled) behind: Vec<Frame>,
    /// The segments.
    pub(super) segments: Vec<PathBuf>,
}

/// Reads the log after the frame `applied`, the last one in the tree.
pub(in crate::store::sled) fn read(
    disk: &Disk,
    folder: &Path,
    applied: u64,
) -> Result<Recovered, StoreError> {
    let io = |path: &Path| {
        let doing = format!("cannot read `{}`", path.display());
        move |error| StoreError::io(doing, error)
    };
    if !disk.exists(folder).map_err(io(folder))? {
        // The mark was created before the tree contained anything, and exists as long as the hub.
        let damage = (applied > 0).then(|| {
            let what = format!("the log is missing, and the tree has its frames up to {applied}");
            log_damaged(folder, 0, what)
        });
        return Ok(Recovered { last: applied, damage, ..Recovered::default() });
    }
    let mut reader = Reader { acknowledged: mark::read(disk, folder), ..Reader::default() };
    reader.found.last = applied;
    let segments = segment::list(disk, folder).map_err(io(folder))?;
    for (index, (first, path)) in segments.iter().enumerate() {
        let next = segments.get(index + 1).map(|(first, _)| *first);
        // Segments with nothing newer than the tree are not read, so they may be unreadable.
        let is_needed = next.is_none_or(|next| next > applied + 1);
        reader.found.segments.push(path.clone());
        if is_needed {
            let bytes = Bytes::from(disk.read(path).map_err(io(path))?);
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

/// The frames of a segment after `after` and up to `last`, which was acknowledged. More may be
/// appended in the meantime.
pub(in crate::store::sled) fn acknowledged(
    disk: &Disk,
    path: &Path,
    after: u64,
    last: u64,
) -> Result<Vec<Frame>, StoreError> {
    let doing = || format!("cannot read `{}`", path.display());
    let bytes = disk.read(path).map_err(|error| StoreError::io(doing(), error))?;
    let bytes = Bytes::from(bytes);
    segment::check_head(&bytes).map_err(|bad| match bad {
        BadHead::Damaged(what) => log_damaged(path, 0, what),
        BadHead::Newer(error) => error,
    })?;
    let (mut frames, mut at) = (Vec::new(), segment::HEAD);
    while let Found::Frame(frame, next) = frame::read(&bytes, at) {
        if frame.sequence > last {
            break;
        }
        if frame.sequence > after {
            frames.push(frame);
        }
        at = next;
    }
    Ok(frames)
}

impl Recovered {
    /// Keeps the readable frames of a segment after damage.
    fn save(&mut self, segment: &Bytes) {
        let last = self.last;
        self.behind.extend(frame::frames_after(segment, 0, |sequence| sequence > last));
    }
}

#[derive(Debug, Default)]
struct Reader {
    found: Recovered,
    /// The last frame that was durable for sure.
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
                let what = format!("found frame {} instead of frame {expected}", frame.sequence);
                return self.damaged(path, at, what);
            }
            if expected > self.found.last {
                self.found.last = expected;
                self.found.frames.push(frame);
            }
            (at, expected) = (behind, expected + 1);
        }
        // A crash may have restored a file that was deleted when the log was written again.
        let expected = expected.max(self.found.last + 1);
        if next.is_some_and(|next| next <= expected) {
            return;
        }
        let acknowledged = frame::frames_after(bytes, at, |sequence| sequence > expected)
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
            mark!("log: a torn tail is cut off");
            self.found.torn = Some((path.to_owned(), at as u64));
        }
    }

    /// A log that ends too early shows no trace of the missing frames.
    fn check_end(&mut self, folder: &Path) {
        let (known, last) = (self.acknowledged, self.found.last);
        if known > last {
            let what = format!("it ends with frame {last}, but frame {known} was acknowledged");
            self.damaged(folder, 0, what);
        }
    }
}
