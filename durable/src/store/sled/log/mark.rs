//! The mark: how far the log was durable, beside the log.
//!
//! A frame at the end of the log that cannot be read was either torn by a crash before anybody was
//! told of it, or was damaged later: the log alone cannot tell. So the sequence of every frame is
//! written here *after* it is durable. The mark is not synced with it, which would double the price
//! of a commit: it survives a crash of the process, and after a crash of the machine it says too
//! little, never too much. It is synced when the store is closed.
//!
//! A mark that cannot be read says nothing.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

const NAME: &str = "mark";

#[derive(Debug)]
pub(super) struct Mark(File);

impl Mark {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(false).open(folder.join(NAME))?;
        file.sync_all()?;
        Ok(Self(file))
    }

    pub(super) fn set(&mut self, sequence: u64) -> io::Result<()> {
        let sequence = sequence.to_be_bytes();
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&sequence);
        bytes[8..].copy_from_slice(&crc32fast::hash(&sequence).to_be_bytes());
        self.0.seek(SeekFrom::Start(0))?;
        self.0.write_all(&bytes)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// The sequence up to which the log is known to have been durable.
pub(super) fn read(folder: &Path) -> u64 {
    let bytes = fs::read(folder.join(NAME)).unwrap_or_default();
    let Some((sequence, crc)) = bytes.split_first_chunk::<8>() else { return 0 };
    if crc32fast::hash(sequence).to_be_bytes() == crc { u64::from_be_bytes(*sequence) } else { 0 }
}
