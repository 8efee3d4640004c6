//! Checks that everything that sled assumes to be durable is durable, in the recorded writes to
//! sled's file.
//!
//! sled's file is a log in segments. A segment begins with a header: the position in the log at
//! which the segment begins, and a *stable* position, up to which the log had been written at that
//! time. When sled opens, it writes a *snapshot*, a file that says which parts of the log are in use
//! and up to which position that is known. After a crash, sled looks for damage only in the segment
//! of the latest stable position or snapshot that it finds and in later ones, and assumes that
//! everything before is intact. What it finds after a gap in the log, it discards, and writes the log
//! again from there. Therefore, in the record of a run:
//!
//! 1. When a header is written, the log is durable up to the segment of its stable position.
//! 2. No segment is overwritten in which sled would look for damage, if the power failed now and left
//!    only what is durable.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::trace::{Deed, Entry, Sync};

#[derive(Clone, Copy, Debug)]
struct Header {
    /// The position in the log at which the segment begins.
    position: u64,
    stable: u64,
}

/// The folder of sled.
const FOLDER: &str = "hub/sled";
/// Where a copy of it is written that takes its place.
const COPY: &str = "hub/sled.new";

/// A write to the file that may not be durable.
struct Write {
    segment: u64,
    /// The position in the log at which it begins.
    position: u64,
    header: Option<Header>,
}

/// sled's file after the first entries of a record.
struct Segments {
    size: u64,
    current: BTreeMap<u64, Header>,
    durable: BTreeMap<u64, Header>,
    snapshots: Snapshots,
    unsynced: Vec<Write>,
    made_durable: usize,
    /// The number of writes that a sync in progress will make durable.
    begun: BTreeMap<u64, usize>,
    wrong: Vec<String>,
}

/// The positions of sled's snapshots.
#[derive(Default)]
struct Snapshots {
    newest: u64,
    /// The newest that a sync of the folder in progress will make durable.
    begun: BTreeMap<u64, u64>,
    durable: u64,
}

impl Snapshots {
    /// Follows what happens in sled's folder. A snapshot is synced before it gets its name,
    /// `snap.` and its position.
    fn apply(&mut self, Entry { path, deed }: &Entry, folder: &str) {
        match deed {
            Deed::RenameTo(to) => {
                let name = to.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let position = name.strip_prefix("snap.").map(|hex| u64::from_str_radix(hex, 16));
                self.newest = position.and_then(Result::ok).unwrap_or_default().max(self.newest);
            }
            Deed::Sync(Sync::Begins, number) if path == Path::new(folder) => {
                self.begun.insert(*number, self.newest);
            }
            Deed::Sync(Sync::Ends, number) if path == Path::new(folder) => {
                let durable = self.begun.remove(number).unwrap_or_default();
                self.durable = durable.max(self.durable);
            }
            _ => {}
        }
    }
}

/// The faults in the record of a run that created the hub in `root/hub`.
pub(crate) fn faults(entries: &[Entry], root: &Path) -> Vec<String> {
    let conf = fs::read(root.join("hub/sled/conf")).unwrap();
    let conf = String::from_utf8_lossy(&conf);
    let size = conf.lines().find_map(|line| line.strip_prefix("segment_size: ")).unwrap();
    let mut segments = Segments {
        size: size.parse().unwrap(),
        current: BTreeMap::new(),
        durable: BTreeMap::new(),
        snapshots: Snapshots::default(),
        unsynced: Vec::new(),
        made_durable: 0,
        begun: BTreeMap::new(),
        wrong: Vec::new(),
    };
    let is_replacement =
        |entry: &Entry| matches!(&entry.deed, Deed::RenameTo(to) if to == Path::new(FOLDER));
    let replaced = entries.iter().position(is_replacement).unwrap_or_default();
    let (copied, used) = entries.split_at(replaced);
    for entry in copied {
        segments.note(entry, COPY);
    }
    // A copy of the tree may be anything until it takes the tree's place.
    segments.wrong.clear();
    for entry in used {
        segments.note(entry, FOLDER);
    }
    segments.wrong
}

impl Segments {
    fn note(&mut self, entry: &Entry, folder: &str) {
        if entry.path == Path::new(folder).join("db") {
            self.apply(&entry.deed);
        } else if entry.path.starts_with(folder) {
            self.snapshots.apply(entry, folder);
        }
    }

    fn apply(&mut self, deed: &Deed) {
        match deed {
            Deed::Write { offset, data } => self.write(*offset, data),
            Deed::Resize(len) => self.durable.retain(|segment, _| segment * self.size < *len),
            Deed::Sync(Sync::Begins, number) => {
                self.begun.insert(*number, self.made_durable + self.unsynced.len());
            }
            Deed::Sync(Sync::Ends, number) => {
                let until = self.begun.remove(number).unwrap_or_default();
                let count = until.saturating_sub(self.made_durable);
                self.made_durable += count;
                for Write { segment, header, .. } in self.unsynced.drain(..count) {
                    self.durable.extend(header.map(|header| (segment, header)));
                }
            }
            _ => {}
        }
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        let (segment, within) = (offset / self.size, offset % self.size);
        let header = (within == 0).then(|| self.header(data)).flatten();
        if let Some(header) = header {
            // What comes later in the log was discarded when sled opened.
            self.durable.retain(|_, other| other.position < header.position);
            self.check(segment, header);
            self.current.insert(segment, header);
        }
        if let Some(current) = self.current.get(&segment) {
            let position = current.position + within;
            self.unsynced.push(Write { segment, position, header });
        }
    }

    /// The header at the beginning of a segment. The bytes with which sled clears a segment are not
    /// a header.
    fn header(&self, data: &[u8]) -> Option<Header> {
        let number = |at: usize| {
            let bytes = data.get(at..at + 8)?.try_into().ok()?;
            Some(i64::from_le_bytes(bytes) ^ i64::MAX)
        };
        let position = u64::try_from(number(4)?).ok()?;
        // Before anything is written, it is -1.
        let stable = u64::try_from(number(12)?.max(0)).ok()?;
        let is_header = position % self.size == 0 && stable <= position;
        is_header.then_some(Header { position, stable })
    }

    fn check(&mut self, segment: u64, header: Header) {
        let start = |position: u64| position / self.size * self.size;
        let begins = start(header.stable);
        if let Some(lost) = self.unsynced.iter().find(|write| write.position < begins) {
            let at = lost.position;
            self.wrong.push(format!("{header:?} is written while position {at} is not durable"));
        }
        let others = self.durable.iter().filter(|(other, _)| **other != segment);
        let stable = others.map(|(_, header)| header.stable).max().unwrap_or_default();
        let stable = stable.max(self.snapshots.durable);
        if let Some(old) = self.durable.get(&segment)
            && old.position >= start(stable)
        {
            self.wrong.push(format!("{header:?} overwrites {old:?}, and {stable} is stable"));
        }
    }
}
