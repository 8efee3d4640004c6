//! The mark: a file beside the log with the last durable frame.
//!
//! An unreadable frame at the end of the log was either torn by a crash before it was acknowledged, or
//! damaged later: the log alone cannot tell. So the sequence of each frame is written here *after* it
//! is durable. The mark itself is not synced each time, because that would double the cost of a commit.
//! It survives a crash of the process. After a crash of the machine it may be too low, but never too
//! high. It is synced when the store is closed.
//!
//! An unreadable mark is ignored.

use std::io;
use std::path::Path;

use crate::store::sled::disk::{Disk, DiskFile};

const NAME: &str = "mark";

#[derive(Debug)]
pub(in crate::store::sled) struct Mark(DiskFile);

impl Mark {
    pub(in crate::store::sled) fn open(disk: &Disk, folder: &Path) -> io::Result<Self> {
        let file = disk.open_or_create(&folder.join(NAME))?;
        file.sync_all()?;
        Ok(Self(file))
    }

    pub(in crate::store::sled) fn set(&mut self, sequence: u64) -> io::Result<()> {
        let sequence = sequence.to_be_bytes();
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&sequence);
        bytes[8..].copy_from_slice(&crc32fast::hash(&sequence).to_be_bytes());
        self.0.write_at(&bytes, 0)
    }

    pub(in crate::store::sled) fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// The sequence of the last frame that was durable for sure.
pub(super) fn read(disk: &Disk, folder: &Path) -> u64 {
    let bytes = disk.read(&folder.join(NAME)).unwrap_or_default();
    let Some((sequence, crc)) = bytes.split_first_chunk::<8>() else { return 0 };
    if crc32fast::hash(sequence).to_be_bytes() == crc { u64::from_be_bytes(*sequence) } else { 0 }
}
