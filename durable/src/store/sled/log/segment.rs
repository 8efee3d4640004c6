//! A segment: a file of the log, filled with zeros before it is used.
//!
//! Zeros are written and synced first. A commit then changes only the content of the file, and its
//! `fdatasync` costs a single write. The file's name is the sequence of its first frame. Its head
//! contains the length of the file, so that a truncated file is detected.

use std::io;
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut, Bytes};

use crate::store::StoreError;
use crate::store::sled::disk::{Disk, DiskFile};
use crate::store::sled::error::newer_format;
use crate::store::sled::open_folder::OpenFolder;

/// `durable` and the format of the log.
const MAGIC: &[u8; 8] = b"durable\x01";

/// The magic, the size of the file (8), the checksum of both (4), and zeros.
pub(super) const HEAD: usize = 32;

const ENDING: &str = ".log";

/// The name of a segment while it is prepared.
const UNNAMED: &str = "next";

/// An open segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) file: DiskFile,
    pub(super) size: usize,
}

impl Segment {
    /// Prepares a segment, still under the name [`UNNAMED`].
    pub(super) fn create(
        folder: &OpenFolder,
        size: usize,
        synced_at_once: usize,
    ) -> io::Result<Self> {
        let mut unfilled = Unfilled::new(size, synced_at_once);
        loop {
            if let Some(made) = unfilled.step(folder)? {
                return Ok(made);
            }
        }
    }
}

/// A segment in the making.
#[derive(Debug)]
pub(super) struct Unfilled {
    size: usize,
    /// Once it was created: the file, and the number of bytes written.
    file: Option<(DiskFile, usize)>,
    /// What one step writes. The steps share it, because clearing memory costs as much as writing.
    zeros: Vec<u8>,
}

impl Unfilled {
    pub(super) fn new(size: usize, at_once: usize) -> Self {
        Self { size, file: None, zeros: vec![0; at_once.min(size)] }
    }

    /// Writes and syncs the next part; returns the segment when it is complete.
    pub(super) fn step(&mut self, folder: &OpenFolder) -> io::Result<Option<Segment>> {
        // An unfinished file takes space that may be needed.
        self.fill(folder).inspect_err(|_| remove_spare(folder))
    }

    fn fill(&mut self, folder: &OpenFolder) -> io::Result<Option<Segment>> {
        let (file, mut written) = match self.file.take() {
            Some(begun) => begun,
            None => {
                let file = folder.disk().create(&folder.path().join(UNNAMED))?;
                // Reserves all space at once, before other programs can take some of it.
                file.allocate(self.size as u64)?;
                file.write_at(&head(self.size), 0)?;
                (file, HEAD)
            }
        };
        let part = self.zeros.len().min(self.size - written);
        if part > 0 {
            file.write_at(&self.zeros[..part], written as u64)?;
            file.sync_data()?;
            written += part;
        }
        if written < self.size {
            self.file = Some((file, written));
            return Ok(None);
        }
        file.sync_all()?;
        Ok(Some(Segment { file, size: self.size }))
    }
}

/// Deletes a prepared segment, if there is one.
pub(super) fn remove_spare(folder: &OpenFolder) {
    remove_spare_in(folder.disk(), folder.path());
}

/// As [`remove_spare`], in a folder that is not open.
pub(super) fn remove_spare_in(disk: &Disk, folder: &Path) {
    let _ = disk.remove_file(&folder.join(UNNAMED));
}

/// Renames the prepared segment to its final name, which is durable once the folder is synced.
pub(super) fn name(folder: &OpenFolder, first: u64) -> io::Result<PathBuf> {
    let path = path(folder.path(), first);
    folder.disk().rename(&folder.path().join(UNNAMED), &path)?;
    Ok(path)
}

/// Why the head of a segment cannot be used.
#[derive(Debug)]
pub(super) enum BadHead {
    Damaged(String),
    /// A newer release wrote it. Size and checksum are at the same offsets in every format.
    Newer(StoreError),
}

pub(super) fn check_head(segment: &Bytes) -> Result<(), BadHead> {
    let Some(mut found) = segment.get(..HEAD) else {
        let what = format!("the file has {} bytes, too few for its head", segment.len());
        return Err(BadHead::Damaged(what));
    };
    let (name, format) = (&found[..7], found[7]);
    if name != &MAGIC[..7] {
        let what = "it does not begin like a segment of the log".to_owned();
        return Err(BadHead::Damaged(what));
    }
    found.advance(8);
    let size = found.get_u64();
    if found.get_u32() != crc32fast::hash(&segment[..16]) {
        return Err(BadHead::Damaged("the checksum of its head is wrong".to_owned()));
    }
    if format != MAGIC[7] {
        return Err(match newer_format(format) {
            Some(newer) => BadHead::Newer(newer),
            None => BadHead::Damaged(format!("the log has the unknown format {format}")),
        });
    }
    if size != segment.len() as u64 {
        let what = format!("it was created with {size} bytes and has {}", segment.len());
        return Err(BadHead::Damaged(what));
    }
    Ok(())
}

/// The segments in a folder, each with the sequence of its first frame, in order.
pub(super) fn list(disk: &Disk, folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut segments = Vec::new();
    for (path, _kind) in disk.list(folder)? {
        let name = path.file_name().and_then(|name| name.to_str());
        let first = name.and_then(|name| name.strip_suffix(ENDING)?.parse().ok());
        segments.extend(first.map(|first| (first, path)));
    }
    segments.sort_unstable();
    Ok(segments)
}

fn head(size: usize) -> [u8; HEAD] {
    let mut head = Vec::with_capacity(HEAD);
    head.put_slice(MAGIC);
    head.put_u64(size as u64);
    head.put_u32(crc32fast::hash(&head));
    let mut padded = [0; HEAD];
    padded[..head.len()].copy_from_slice(&head);
    padded
}

fn path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}{ENDING}"))
}
