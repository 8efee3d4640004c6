//! How much is run, and where.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use durable::Result;
use tempfile::TempDir;

use crate::clock::now;
use crate::raw::RawLog;

/// How often each engine is run.
const RUNS: usize = 5;
/// How often in a quick run, where the time is mostly over before; runs are short there.
const QUICK_RUNS: usize = 9;
/// How long the raw log is written to in one go, at most.
const RAW_QUICK: Duration = Duration::from_millis(400);
const RAW: Duration = Duration::from_secs(5);

/// How much is run, and where.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Where the hubs are.
    pub(crate) folder: PathBuf,
    /// Whether each group has to be done within 15 seconds.
    pub(crate) quick: bool,
    /// How often each engine is run, at most.
    pub(crate) runs: usize,
}

impl Plan {
    pub(crate) fn new(folder: &Path, quick: bool, runs: Option<usize>) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let runs = runs.unwrap_or(if quick { QUICK_RUNS } else { RUNS }).max(1);
        Ok(Self { folder: folder.to_owned(), quick, runs })
    }

    /// A new folder on the disk that is measured; it goes with the value.
    pub(crate) fn fresh(&self) -> Result<TempDir> {
        Ok(tempfile::Builder::new().prefix("hub-").tempdir_in(&self.folder)?)
    }

    /// The one if this is a quick run, the other if not.
    pub(crate) fn pick<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }

    /// The time that the raw log takes for these groups, in seconds.
    pub(crate) fn raw(&self, groups: &[usize]) -> Result<f64> {
        let folder = self.fresh()?;
        RawLog::create(folder.path())?.append_within(groups, self.pick(RAW_QUICK, RAW))
    }

    /// Rounds in which each engine has its turn: as many as wanted, of which in a quick run none
    /// begins that would probably not end within `share`.
    pub(crate) fn rounds(&self, share: Duration) -> Rounds {
        let share = self.quick.then_some(share);
        Rounds { began: now(), share, runs: self.runs, next: 0 }
    }

    /// Whether duroxide has a turn in this round: it is slow, so it has fewer.
    pub(crate) fn has_peer(&self, round: usize) -> bool {
        round < self.pick(1, 3)
    }
}

/// Counts rounds as long as there is time.
#[derive(Debug)]
pub(crate) struct Rounds {
    began: Instant,
    share: Option<Duration>,
    runs: usize,
    next: usize,
}

impl Iterator for Rounds {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let round = self.next;
        let spent = self.began.elapsed();
        let each = spent / u32::try_from(round.max(1)).unwrap_or(u32::MAX);
        let late = round > 0 && self.share.is_some_and(|share| spent + each > share);
        self.next += 1;
        (round < self.runs && !late).then_some(round)
    }
}
