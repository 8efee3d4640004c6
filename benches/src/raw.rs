//! The raw limit: bytes appended to a file that grows, and synced.
//!
//! Owns what the engines are measured against. It encodes nothing, checks nothing and keeps nothing
//! in memory, so no engine that makes its writes durable one group after the other is faster.

use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};
use std::path::Path;
use std::time::Duration;

use durable::Result;

use crate::clock::now;

/// A file at whose end groups of bytes are made durable.
#[derive(Debug)]
pub(crate) struct RawLog {
    file: File,
    bytes: Vec<u8>,
}

impl RawLog {
    /// A new file in `folder`.
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(folder.join("raw"))?;
        // The name of the file is durable before anything is timed.
        File::open(folder)?.sync_all()?;
        Ok(Self { file, bytes: Vec::new() })
    }

    /// A new file in `folder` that has this many bytes already, to be overwritten. Its length need
    /// not be made durable with each group, which is less work for the file system.
    pub(crate) fn preallocated(folder: &Path, bytes: usize) -> Result<Self> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(folder.join("raw"))?;
        file.write_all(&vec![0; bytes])?;
        file.sync_all()?;
        file.rewind()?;
        File::open(folder)?.sync_all()?;
        Ok(Self { file, bytes: Vec::new() })
    }

    /// Makes a group of this many bytes durable; gives the time that took.
    pub(crate) fn append(&mut self, bytes: usize) -> Result<Duration> {
        if self.bytes.len() < bytes {
            self.bytes.resize(bytes, b'x');
        }
        let began = now();
        self.file.write_all(&self.bytes[..bytes])?;
        self.file.sync_data()?;
        Ok(began.elapsed())
    }

    /// Makes one group after the other durable until the time is over; gives the time of all, in
    /// seconds, in proportion if they were not all done.
    pub(crate) fn append_within(&mut self, groups: &[usize], limit: Duration) -> Result<f64> {
        let longest = groups.iter().copied().max().unwrap_or_default();
        self.bytes.resize(longest.max(self.bytes.len()), b'x');
        let (began, mut done) = (now(), 0);
        for &bytes in groups {
            self.append(bytes)?;
            done += bytes;
            if began.elapsed() > limit {
                break;
            }
        }
        let all = groups.iter().sum::<usize>();
        Ok(began.elapsed().as_secs_f64() * all as f64 / done.max(1) as f64)
    }
}
