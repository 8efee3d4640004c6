//! A segment: a file of the log, filled with zeros before it is used.
//!
//! Zeros are written and synced first. A commit then changes only the content of the file, and its
//! `fdatasync` costs a single write. The file's name is the sequence of its first frame. Its head
//! contains the length of the file, so that a truncated file is detected.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut, Bytes};

use crate::store::StoreError;
use crate::store::sled::error::newer_format;
use crate::store::sled::system;

/// `durable` and the format of the log.
const MAGIC: &[u8; 8] = b"durable\x01";

/// The magic, the size of the file (8), the checksum of both (4), and zeros.
pub(super) const HEAD: usize = 32;

const ENDING: &str = ".log";

/// Number of bytes between two syncs. It is small, because the sync of a commit waits for it.
const SYNCED_AT_ONCE: usize = 512 * 1024;

/// The name of a segment while it is prepared.
const UNNAMED: &str = "next";

/// An open segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) file: File,
    pub(super) size: usize,
}

impl Segment {
    /// Prepares a segment, still under the name [`UNNAMED`]. `between` is called after each sync.
    pub(super) fn create(folder: &Path, size: usize, between: impl FnMut()) -> io::Result<Self> {
        // An unfinished file takes space that may be needed.
        Self::fill(folder, size, between).inspect_err(|_| remove_spare(folder))
    }

    fn fill(folder: &Path, size: usize, mut between: impl FnMut()) -> io::Result<Self> {
        let mut file = File::create(folder.join(UNNAMED))?;
        // Reserves all space at once, before other programs can take some of it.
        system::allocate(&file, size as u64)?;
        file.write_all(&head(size))?;
        let zeros = vec![0; SYNCED_AT_ONCE];
        let mut left = size - HEAD;
        while left > 0 {
            let part = left.min(zeros.len());
            file.write_all(&zeros[..part])?;
            file.sync_data()?;
            between();
            left -= part;
        }
        file.sync_all()?;
        file.seek(SeekFrom::Start(HEAD as u64))?;
        Ok(Self { file, size })
    }
}

/// Deletes a prepared segment, if there is one.
pub(super) fn remove_spare(folder: &Path) {
    let _ = fs::remove_file(folder.join(UNNAMED));
}

/// Renames the prepared segment to its final name, which is durable once the folder is synced.
pub(super) fn name(folder: &Path, first: u64) -> io::Result<PathBuf> {
    let path = path(folder, first);
    fs::rename(folder.join(UNNAMED), &path)?;
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
pub(super) fn list(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
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
