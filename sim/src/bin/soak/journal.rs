//! What the killed processes requested, and what was acknowledged. Each line of the file is written
//! in one call, so that a kill never leaves half a line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::Result;

/// A job: its round, and its number within the round.
pub(crate) type Job = (u64, u64);

/// A step of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A start was sent.
    Tried,
    /// The start was acknowledged.
    Started,
    /// Its event was acknowledged.
    Raised,
}

const STEPS: [(Step, &str); 3] =
    [(Step::Tried, "tried"), (Step::Started, "started"), (Step::Raised, "raised")];

#[derive(Debug)]
pub(crate) struct Journal(File);

impl Journal {
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        Ok(Self(File::options().create(true).append(true).open(folder.join("journal"))?))
    }

    pub(crate) fn note(&self, step: Step, (round, n): Job) -> Result<()> {
        let name = STEPS.iter().find(|(known, _)| *known == step).map_or("", |(_, name)| name);
        Ok((&self.0).write_all(format!("{name} {round} {n}\n").as_bytes())?)
    }
}

/// The content of a journal.
#[derive(Debug, Default)]
pub(crate) struct Known {
    steps: BTreeMap<&'static str, BTreeSet<Job>>,
}

impl Known {
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let mut known = Self::default();
        for line in fs::read_to_string(folder.join("journal")).unwrap_or_default().lines() {
            let mut words = line.split(' ');
            let name = words.next();
            let mut number = || -> Result<u64> { Ok(words.next().unwrap_or_default().parse()?) };
            let job = (number()?, number()?);
            if let Some((_, step)) = STEPS.iter().find(|(_, step)| Some(*step) == name) {
                known.steps.entry(step).or_default().insert(job);
            }
        }
        Ok(known)
    }

    fn of(&self, step: Step) -> BTreeSet<Job> {
        let name = STEPS.iter().find(|(known, _)| *known == step).map(|(_, name)| *name);
        name.and_then(|name| self.steps.get(name)).cloned().unwrap_or_default()
    }

    /// The jobs without an acknowledgement of this step.
    pub(crate) fn without(&self, step: Step) -> Vec<Job> {
        self.of(Step::Tried).difference(&self.of(step)).copied().collect()
    }

    /// The number of jobs that each round has tried to start.
    pub(crate) fn tried(&self) -> impl Iterator<Item = (u64, u64)> + use<> {
        let mut rounds = BTreeMap::new();
        for (round, _) in self.of(Step::Tried) {
            *rounds.entry(round).or_default() += 1;
        }
        rounds.into_iter()
    }
}

/// Writes the result of the last process: for each round, the number of jobs that have ended.
pub(crate) fn write_counted(folder: &Path, counted: &BTreeMap<u64, u64>) -> Result<()> {
    let line = |(round, count): (&u64, &u64)| format!("{round} {count}\n");
    Ok(fs::write(folder.join("counted"), counted.iter().map(line).collect::<String>())?)
}

/// The result of the last process.
pub(crate) fn counted(folder: &Path) -> Result<BTreeMap<u64, u64>> {
    let text = fs::read_to_string(folder.join("counted")).unwrap_or_default();
    let number = |line: &str| -> Result<(u64, u64)> {
        let (round, count) = line.split_once(' ').unwrap_or_default();
        Ok((round.parse()?, count.parse()?))
    };
    text.lines().map(number).collect()
}
