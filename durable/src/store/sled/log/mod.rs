//! The commit log: a commit is written here first, with one write and one sync.
//!
//! Rules:
//! 1. A commit is one [frame]. It is acknowledged when the file is synced, unless a lower
//!    [`Durability`](crate::store::Durability) was chosen.
//! 2. Files are prepared in advance, full of zeros, by a separate thread, so that no commit waits for
//!    one.
//! 3. After a failed write or sync nothing more is written, because it is uncertain what is on disk. If
//!    a resource was missing before anything became uncertain (a descriptor, disk space), the log is
//!    unchanged, and the same commit can be retried.
//! 4. A file is deleted once the tree contains all of its frames, and no backup still needs them.
//! 5. Nothing is written, acknowledged or deleted if the path no longer leads to the opened folder or
//!    file.
//!
//! Read next: `frame.rs` and `segment.rs` (the layout), `read.rs` (which frames are valid when a store
//! is opened, and what is damage), `mark.rs`, `keeper.rs` (the thread).

pub(super) mod frame;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;
mod keeper;
pub(super) mod mark;
pub(super) mod read;
mod segment;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use self::frame::Frame;
use self::keeper::Keeper;
use self::mark::Mark;
use self::read::Recovered;
use self::segment::Segment;
use super::disk::{Disk, DiskFile};
use super::open_folder::OpenFolder;
use super::room::Room;
use super::sizes::LogSizes;
use crate::store::{Durability, StoreError};

/// The open log, which the committing thread holds.
#[derive(Debug)]
pub(super) struct Log {
    folder: OpenFolder,
    room: Arc<Room>,
    durability: Durability,
    sizes: LogSizes,
    keeper: Keeper,
    /// The current segment, and the end of its last frame.
    file: Arc<DiskFile>,
    path: PathBuf,
    /// When the folder was last modified, as of the last check of the path.
    seen: Option<SystemTime>,
    size: usize,
    written: usize,
    /// The earlier segments, each with its last frame and its size.
    full: VecDeque<(u64, PathBuf, usize)>,
    /// The sequence of the last frame.
    last: u64,
    /// The last frame that the tree contained when the last checkpoint ended.
    applied: u64,
    /// The frames after each of these are kept.
    pins: Vec<u64>,
}

impl Log {
    /// Opens the log for writing after the frames that were found. The folder's own name is already
    /// durable.
    ///
    /// These frames are written again, because they may never have reached the disk if the store was
    /// closed after a failed sync.
    pub(super) fn open(
        disk: &Disk,
        folder: &Path,
        found: &Recovered,
        durability: Durability,
        sizes: LogSizes,
        room: Arc<Room>,
    ) -> Result<Self, StoreError> {
        let doing = || format!("cannot open the log in `{}`", folder.display());
        let io = |error| StoreError::io(doing(), error);
        let again: Vec<_> = found.frames.iter().filter_map(Frame::again).collect();
        let length: usize = again.iter().map(bytes::Bytes::len).sum();
        let first = found.last + 1 - again.len() as u64;
        mark!(!again.is_empty(), "log: frames are written again when it opens");
        let opened = OpenFolder::open(disk, folder).map_err(io)?;
        // The mark is the oldest file of the folder, so most tools copy it first. A copy of the mark
        // that is older than the copy of the log does no harm.
        let mut mark = Mark::open(disk, folder).map_err(io)?;
        let size = size_for(sizes.segment_min, length, sizes);
        let segment = Segment::create(&opened, size, sizes.synced_at_once).map_err(io)?;
        let (file, mut end) = (segment.file, segment::HEAD);
        for frame in again {
            file.write_at(&frame, end as u64).map_err(io)?;
            end += frame.len();
        }
        file.sync_data().map_err(io)?;
        let path = segment::name(&opened, first).map_err(io)?;
        opened.sync().map_err(io)?;
        for old in found.segments.iter().filter(|old| **old != path) {
            disk.remove_file(old).map_err(io)?;
        }
        // If a crash restored a deleted file, the log would seem to end there.
        opened.sync().map_err(io)?;
        mark.set(found.last).map_err(io)?;
        let file = Arc::new(file);
        let at_once = sizes.synced_at_once;
        let keeper = Keeper::start(&opened, mark, found.last, durability, at_once)?;
        Ok(Self {
            folder: opened,
            room,
            durability,
            sizes,
            keeper,
            file,
            path,
            seen: None,
            size: segment.size,
            written: end,
            full: VecDeque::new(),
            last: found.last,
            applied: first - 1,
            pins: Vec::new(),
        })
    }

    /// Appends a body from [`frame::begin`], and syncs it if each commit is synced.
    ///
    /// # Errors
    /// If the error is [transient](StoreError::is_transient), the log is unchanged.
    pub(super) fn append(&mut self, body: Vec<u8>) -> Result<Frame, StoreError> {
        self.check_before_a_commit()?;
        if self.written + frame::length(&body) > self.size {
            self.roll(frame::length(&body))?;
        }
        let Some((bytes, frame)) = frame::seal(body, self.last + 1, self.keeper.durable()) else {
            return Err(StoreError::damaged("a commit of more than 4 GiB cannot be written"));
        };
        self.write(&bytes)?;
        if self.written < self.size / 4 && self.written + bytes.len() >= self.size / 4 {
            self.keeper.prepare_segment(self.next_size());
        }
        self.written += bytes.len();
        self.last = frame.sequence;
        match self.durability {
            Durability::Immediate => self.sync()?,
            Durability::Within(_) => self.keeper.sync_soon(&self.file, self.last)?,
        }
        Ok(frame)
    }

    /// Writes a frame after the last one. If it was written only in part because the disk is full, the
    /// next attempt overwrites it. After a crash it is a torn tail, which was never acknowledged.
    fn write(&self, frame: &[u8]) -> Result<(), StoreError> {
        let written = self.file.write_at(frame, self.written as u64);
        mark!(written.is_err(), "log: a frame cannot be written");
        written.map_err(|error| self.refused(error))
    }

    /// # Errors
    /// [`StoreError::FolderMoved`] if the path no longer leads to this folder or file.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.folder.check_file(&self.path, &self.file)
    }

    /// As [`check`](Self::check), but cheaper: with multigrain timestamps (Linux 6.13 and later), reading
    /// the metadata of a file makes its next write need a file system transaction. So the file is
    /// checked only if its folder was modified.
    fn check_before_a_commit(&mut self) -> Result<(), StoreError> {
        let changed = self.folder.changed()?;
        if changed.is_none() || changed != self.seen {
            self.check()?;
            self.seen = changed;
        }
        Ok(())
    }

    /// The folder of the log.
    pub(super) fn folder(&self) -> &OpenFolder {
        &self.folder
    }

    /// Syncs everything that was written.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        self.keeper.take_over()?;
        self.file.sync_data().map_err(|error| self.failed(error))?;
        self.keeper.synced(self.last).map_err(|error| self.failed(error))
    }

    /// Switches to a new segment with room for `length` bytes.
    fn roll(&mut self, length: usize) -> Result<(), StoreError> {
        if self.keeper.durable() < self.last {
            self.sync()?;
        }
        let size = size_for(self.next_size(), length, self.sizes);
        if !self.keeper.has_segment(size) {
            self.room.check_for(size)?;
        }
        let next = self.keeper.take_segment(size).map_err(|error| self.refused(error))?;
        let path = match segment::name(&self.folder, self.last + 1) {
            Ok(path) => path,
            Err(error) => {
                mark!("log: a segment cannot be named");
                self.keeper.give_back(next);
                return Err(self.refused(error));
            }
        };
        mark!("log: the next segment begins");
        // The file was renamed: from here on, an error leaves it uncertain what is on disk.
        self.folder.sync().map_err(|error| self.failed(error))?;
        self.folder.check_file(&path, &next.file)?;
        let replaced = std::mem::replace(&mut self.path, path);
        // A segment has the name of its first frame, so one without frames was replaced by this.
        if replaced != self.path {
            self.full.push_back((self.last, replaced, self.size));
        }
        (self.file, self.size, self.written) = (Arc::new(next.file), next.size, segment::HEAD);
        Ok(())
    }

    /// Size of its files, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.size + self.full.iter().map(|(_, _, size)| size).sum::<usize>()
    }

    fn next_size(&self) -> usize {
        (4 * self.size).min(self.sizes.segment_max)
    }

    /// Keeps the frames that the tree does not contain yet; returns the last one that it contains.
    pub(super) fn pin(&mut self) -> u64 {
        self.pins.push(self.applied);
        self.applied
    }

    /// Undoes a [`pin`](Self::pin); returns the segments that can be deleted.
    pub(super) fn unpin(&mut self, applied: u64) -> Vec<PathBuf> {
        if let Some(index) = self.pins.iter().position(|pin| *pin == applied) {
            self.pins.swap_remove(index);
        }
        self.superseded(self.applied)
    }

    /// The paths of its files, in order.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let full = self.full.iter().map(|(_, path, _)| path);
        full.chain([&self.path]).cloned().collect()
    }

    /// The sequence of the last frame.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Segments that the checkpoint covers completely; they can be deleted.
    pub(super) fn superseded(&mut self, applied: u64) -> Vec<PathBuf> {
        self.applied = applied;
        let unneeded = self.pins.iter().fold(applied, |first, pin| first.min(*pin));
        let count = self.full.iter().take_while(|(last, ..)| *last <= unneeded).count();
        mark!(count > 0, "log: full segments are deleted");
        self.full.drain(..count).map(|(_, path, _)| path).collect()
    }

    /// Deletes files, unless another folder has taken the place of this one.
    pub(super) fn remove(folder: &OpenFolder, files: &[PathBuf]) -> Result<(), StoreError> {
        match folder.check() {
            // They are deleted when the store is next opened.
            Err(error) if error.is_transient() => return Ok(()),
            checked => checked?,
        }
        for file in files {
            // A file that remains is older than the tree, which does no harm.
            let _ = folder.disk().remove_file(file);
        }
        Ok(())
    }

    /// Deletes all files: the tree contains everything.
    pub(super) fn close(&mut self) -> Result<(), StoreError> {
        self.folder.check()?;
        self.keeper.close().map_err(|error| self.failed(error))?;
        let mut files = self.superseded(self.last);
        // The newest file is deleted last, so that a crash leaves no gap.
        files.push(self.path.clone());
        Self::remove(&self.folder, &files)
    }

    /// An error that left the log unchanged.
    fn refused(&self, error: io::Error) -> StoreError {
        StoreError::io_or_exhausted(self.writing(), error)
    }

    /// An error after which it is uncertain whether the log has changed.
    fn failed(&self, error: io::Error) -> StoreError {
        StoreError::io(self.writing(), error)
    }

    fn writing(&self) -> String {
        format!("cannot write to the log `{}`", self.path.display())
    }
}

/// Size of the files of a log that is not open. Deletes the file that was prepared in advance.
pub(super) fn size_of(disk: &Disk, folder: &Path) -> io::Result<u64> {
    segment::remove_spare_in(disk, folder);
    let segments = if disk.exists(folder)? { segment::list(disk, folder)? } else { Vec::new() };
    segments.iter().map(|(_, path)| Ok(disk.look(path)?.len)).sum()
}

/// The size of a segment with room for this many bytes.
fn size_for(size: usize, length: usize, sizes: LogSizes) -> usize {
    size.max((segment::HEAD + length).next_multiple_of(sizes.segment_min))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sled::sizes::Sizes;

    /// A full disk can refuse the first frame of a new segment, and the next one may need a larger
    /// segment.
    #[test]
    fn a_segment_that_was_replaced_before_its_first_frame_is_not_deleted_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::create_dir(&path).unwrap();
        let room = Arc::new(Room::new(&Disk::System, folder.path(), 0));
        let (found, sizes) = (Recovered::default(), Sizes::PRODUCTION.log);
        let durability = Durability::Immediate;
        let mut log = Log::open(&Disk::System, &path, &found, durability, sizes, room).unwrap();
        let body = |length: usize| [frame::begin(), vec![7; length]].concat();
        log.append(body(10)).unwrap();
        log.roll(1000).unwrap();
        log.roll(10_000).unwrap();
        let frame = log.append(body(10)).unwrap();
        let current = log.path.clone();
        assert_eq!(log.superseded(frame.sequence - 1).len(), 1, "the segment of the first frame");
        assert!(log.files().contains(&current) && current.exists());
        assert!(!log.superseded(frame.sequence).contains(&current), "it may not be deleted");
    }
}
