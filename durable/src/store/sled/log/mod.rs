//! The commit log: what is committed stands here first, in one write and one sync.
//!
//! Rules:
//! 1. A commit is one [frame]. It is acknowledged when the file's content is synced, unless it was
//!    asked for less.
//! 2. Files are made ahead, full of zeros, by a thread of their own, so that no commit waits for one.
//! 3. After a write or a sync that failed, nothing more is written: what is on the disk is uncertain.
//!    If only a resource was missing before anything became uncertain (a descriptor, room on the
//!    disk), the log is as it was before, and the same commit can be tried again.
//! 4. What the tree has is not needed here any more; whole files of it are removed.
//! 5. Nothing is written, acknowledged or removed once the folder or the file is not the one that
//!    its path leads to any more.
//!
//! Read next: `frame.rs` and `segment.rs` (what stands where), `read.rs` (what counts when a store is
//! opened, and what is damage), `mark.rs`, `keeper.rs` (the thread).

pub(super) mod frame;
mod keeper;
mod mark;
pub(super) mod read;
mod segment;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use self::frame::Frame;
use self::keeper::Keeper;
use self::mark::Mark;
use self::read::Recovered;
use self::segment::Segment;
use super::room::Room;
use super::system::{self, OpenFolder};
use crate::store::{Durability, StoreError};

/// The first segment is small, since most hubs are; each next one is four times as large.
const SEGMENT_MIN: usize = 1024 * 1024;
const SEGMENT_MAX: usize = 16 * 1024 * 1024;

/// The open log. The thread that commits has it.
#[derive(Debug)]
pub(super) struct Log {
    folder: OpenFolder,
    room: Arc<Room>,
    durability: Durability,
    keeper: Keeper,
    /// The segment that is written to, and how far.
    file: Arc<File>,
    path: PathBuf,
    /// When the folder had changed last, as of the last look at the path.
    seen: Option<SystemTime>,
    size: usize,
    written: usize,
    /// The segments before, each with the last frame in it and its size.
    full: VecDeque<(u64, PathBuf, usize)>,
    /// The last frame that was written.
    last: u64,
}

impl Log {
    /// Opens the log for writing, behind what was found in it, in a folder that is there for good.
    ///
    /// What was found is written anew: it may never have reached the disk, if the store was closed
    /// because a sync had failed.
    pub(super) fn open(
        folder: &Path,
        found: &Recovered,
        durability: Durability,
        room: Arc<Room>,
    ) -> Result<Self, StoreError> {
        let doing = || format!("cannot open the log in `{}`", folder.display());
        let io = |error| StoreError::io(doing(), error);
        let again: Vec<_> = found.frames.iter().filter_map(Frame::again).collect();
        let length: usize = again.iter().map(bytes::Bytes::len).sum();
        let first = found.last + 1 - again.len() as u64;
        let opened = OpenFolder::open(folder).map_err(io)?;
        // The mark is the oldest file of the folder, so most programs copy it first: a copy of it
        // that is older than the copy of the log does no harm.
        let mut mark = Mark::open(folder).map_err(io)?;
        let size = size_for(SEGMENT_MIN, length);
        let segment = Segment::create(folder, size, || ()).map_err(io)?;
        let mut file = segment.file;
        for frame in again {
            file.write_all(&frame).map_err(io)?;
        }
        file.sync_data().map_err(io)?;
        let path = segment::name(folder, first).map_err(io)?;
        opened.sync().map_err(io)?;
        for old in found.segments.iter().filter(|old| **old != path) {
            fs::remove_file(old).map_err(io)?;
        }
        // A file that came back would say that the log ends where it ends.
        opened.sync().map_err(io)?;
        mark.set(found.last).map_err(io)?;
        let file = Arc::new(file);
        let keeper = Keeper::start(&opened, mark, found.last, durability)?;
        Ok(Self {
            folder: opened,
            room,
            durability,
            keeper,
            file,
            path,
            seen: None,
            size: segment.size,
            written: segment::HEAD + length,
            full: VecDeque::new(),
            last: found.last,
        })
    }

    /// Writes a body from [`frame::begin`], and makes it durable if each commit is.
    ///
    /// # Errors
    /// If the error is [transient](StoreError::is_transient), the log is as it was before.
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

    /// Writes a frame behind the last one. A part of one that found no room is overwritten by the
    /// next attempt; after a crash it is a torn tail, which nobody was told of.
    fn write(&self, frame: &[u8]) -> Result<(), StoreError> {
        let mut file = &*self.file;
        let Err(error) = file.write_all(frame) else { return Ok(()) };
        match file.seek(SeekFrom::Start(self.written as u64)) {
            Ok(_) => Err(self.refused(error)),
            Err(_) => Err(self.failed(error)),
        }
    }

    /// # Errors
    /// [`StoreError::FolderMoved`] if what is written would not be found again.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        system::check_file(&self.path, &self.file)
    }

    /// The same as [`check`](Self::check) at a lower price: where the kernel has multigrain timestamps
    /// (Linux from 6.13), a file whose metadata was read needs a transaction of the file system for
    /// its next write. So the file is looked at only after its folder has changed.
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

    /// Makes everything durable that was written.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        self.keeper.take_over()?;
        self.file.sync_data().map_err(|error| self.failed(error))?;
        self.keeper.synced(self.last).map_err(|error| self.failed(error))
    }

    /// Goes on in a new segment, which has room for `length` more.
    fn roll(&mut self, length: usize) -> Result<(), StoreError> {
        if self.keeper.durable() < self.last {
            self.sync()?;
        }
        let size = size_for(self.next_size(), length);
        if !self.keeper.has_segment(size) {
            self.room.check_for(size)?;
        }
        let next = self.keeper.take_segment(size).map_err(|error| self.refused(error))?;
        let path = match segment::name(self.folder.path(), self.last + 1) {
            Ok(path) => path,
            Err(error) => {
                self.keeper.give_back(next);
                return Err(self.refused(error));
            }
        };
        // The file has its name: from here on, an error leaves it uncertain what is on the disk.
        self.folder.sync().map_err(|error| self.failed(error))?;
        system::check_file(&path, &next.file)?;
        self.full.push_back((self.last, std::mem::replace(&mut self.path, path), self.size));
        (self.file, self.size, self.written) = (Arc::new(next.file), next.size, segment::HEAD);
        Ok(())
    }

    /// How many bytes its files have.
    pub(super) fn bytes(&self) -> usize {
        self.size + self.full.iter().map(|(_, _, size)| size).sum::<usize>()
    }

    fn next_size(&self) -> usize {
        (4 * self.size).min(SEGMENT_MAX)
    }

    /// Segments that the checkpoint covers completely; they can be deleted.
    pub(super) fn superseded(&mut self, applied: u64) -> Vec<PathBuf> {
        let count = self.full.iter().take_while(|(last, ..)| *last <= applied).count();
        self.full.drain(..count).map(|(_, path, _)| path).collect()
    }

    /// Removes files, unless the folder is not the one that they were in.
    pub(super) fn remove(folder: &OpenFolder, files: &[PathBuf]) -> Result<(), StoreError> {
        match folder.check() {
            // They are removed when the store is opened.
            Err(error) if error.is_transient() => return Ok(()),
            checked => checked?,
        }
        for file in files {
            // A file that is still there is older than the tree, which does no harm.
            let _ = fs::remove_file(file);
        }
        Ok(())
    }

    /// The tree has everything: no file is needed.
    pub(super) fn close(&mut self) -> Result<(), StoreError> {
        self.folder.check()?;
        self.keeper.close().map_err(|error| self.failed(error))?;
        let mut files = self.superseded(self.last);
        // The newest file goes last: what a crash leaves has no gap.
        files.push(self.path.clone());
        Self::remove(&self.folder, &files)
    }

    /// The error of what left the log as it was.
    fn refused(&self, error: io::Error) -> StoreError {
        StoreError::io_or_exhausted(self.writing(), error)
    }

    /// The error of what may have changed the log or not.
    fn failed(&self, error: io::Error) -> StoreError {
        StoreError::io(self.writing(), error)
    }

    fn writing(&self) -> String {
        format!("cannot write to the log `{}`", self.path.display())
    }
}

/// How many bytes the files have of a log that nobody has open; the one that was made ahead goes.
pub(super) fn size_of(folder: &Path) -> io::Result<u64> {
    segment::remove_spare(folder);
    let segments = if folder.exists() { segment::list(folder)? } else { Vec::new() };
    segments.iter().map(|(_, path)| Ok(fs::metadata(path)?.len())).sum()
}

/// The size of a segment that is to have room for so much.
fn size_for(size: usize, length: usize) -> usize {
    size.max((segment::HEAD + length).next_multiple_of(SEGMENT_MIN))
}
