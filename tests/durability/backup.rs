//! Backups under load, in a process that is killed: each backup that was reported as complete opens,
//! and contains every step that was acknowledged before it began.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use durable::store::Store;
use serde::{Deserialize, Serialize};

use crate::check::{Case, Finding};
use crate::child::{self, Judge, Task};
use crate::seed::{self, Random};
use crate::work::{self, Size, Work};

const STEPS: usize = 1_500;
const TRIES: u32 = 24_000;
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// The steps of a [`Work`] in `ROOT/hub`, and backups of it to `ROOT/0`, `ROOT/1` and so on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Load {
    root: PathBuf,
    seed: u64,
}

/// The notes of the process: `step N` when N steps are acknowledged, `begins N` when a backup begins,
/// and `complete N` when a backup with N steps is complete.
#[derive(Clone)]
struct Notes(Arc<Mutex<File>>);

impl Notes {
    fn note(&self, what: &str, number: u64) {
        let mut file = self.0.lock().unwrap();
        file.write_all(format!("{what} {number}\n").as_bytes()).unwrap();
    }
}

impl Load {
    /// Works until it is killed or has done all steps. At least one backup is made in the meantime.
    pub(crate) fn run(&self) {
        let notes = OpenOptions::new().create(true).append(true).open(self.notes()).unwrap();
        let notes = Notes(Arc::new(Mutex::new(notes)));
        let store = Arc::new(work::open(&self.root.join("hub")).unwrap());
        let steps = Work::new(self.seed, Size::Large, STEPS).steps;
        let working = {
            let (store, notes) = (Arc::clone(&store), notes.clone());
            thread::spawn(move || {
                for (number, step) in (1..).zip(&steps) {
                    step.apply(&store).unwrap();
                    notes.note("step", number);
                }
            })
        };
        for number in 0.. {
            notes.note("begins", number);
            let report = store.backup(&self.backup(number)).unwrap();
            // Each step is one commit.
            notes.note("complete", report.last_commit);
            if working.is_finished() {
                break;
            }
        }
        working.join().unwrap();
    }

    fn notes(&self) -> PathBuf {
        self.root.join("notes")
    }

    fn backup(&self, number: u64) -> PathBuf {
        self.root.join(number.to_string())
    }

    /// The backups that were reported as complete, with their steps: no fewer than those acknowledged
    /// before the backup began.
    fn complete(&self) -> Vec<Case> {
        let notes = fs::read_to_string(self.notes()).unwrap();
        let (mut acknowledged, mut before, mut complete) = (0, 0, Vec::new());
        let mut folder = PathBuf::new();
        for line in notes.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            let (what, number) = line.split_once(' ').unwrap();
            let number: usize = number.parse().unwrap();
            match what {
                "step" => acknowledged = number,
                "begins" => {
                    before = acknowledged;
                    folder = self.backup(number as u64);
                }
                _ => {
                    // A step may be durable before it is written to the notes.
                    assert!((before..=acknowledged + 1).contains(&number), "{number}, {before}");
                    let (folder, acknowledged, issued) = (folder.clone(), number, number);
                    complete.push(Case { folder, acknowledged, issued });
                }
            }
        }
        complete
    }

    /// Starts the process.
    fn start(&self) -> Child {
        let mut command = child::command(&Task::Backup(self.clone()));
        command.stderr(Stdio::inherit()).spawn().unwrap()
    }

    /// Blocks until the notes contain this many lines with this beginning, or the process has
    /// ended.
    fn wait_for(&self, beginning: &str, count: usize, child: &mut Child) {
        let mut found = 0;
        for _try in 0..TRIES {
            let notes = fs::read_to_string(self.notes()).unwrap_or_default();
            found = notes.lines().filter(|line| line.starts_with(beginning)).count();
            if found >= count || child.try_wait().unwrap().is_some() {
                return;
            }
            thread::park_timeout(BETWEEN_TRIES);
        }
        panic!("{found} of {count} `{beginning}`");
    }
}

/// The fault of a backup, if it has one.
fn complaint(case: &Case, judge: &mut Judge) -> Option<String> {
    match judge.judge(case) {
        Finding::Holds(_) => None,
        finding => Some(format!("{}: {finding:?}", case.folder.display())),
    }
}

/// Folders under final names that were not reported as complete. The process may be killed between
/// the two.
fn unreported(load: &Load, complete: &[Case]) -> Vec<PathBuf> {
    let is_backup = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.parse::<usize>().is_ok())
    };
    let paths = fs::read_dir(&load.root).unwrap().map(|entry| entry.unwrap().path());
    let is_reported = |path: &PathBuf| complete.iter().any(|case| case.folder == *path);
    paths.filter(|path| is_backup(path) && !is_reported(path)).collect()
}

#[test]
fn a_backup_made_under_load_survives_the_kill_of_its_process() {
    let seed = seed::seed();
    let mut random = Random::new(seed);
    let rounds = if seed::is_long() { 40 } else { 2 };
    for round in 0..rounds {
        let (_guard, root) = child::folder();
        let load = Load { root, seed: seed + round };
        let mut child = load.start();
        let backups = 1 + usize::try_from(random.below(3)).unwrap();
        load.wait_for("complete", backups, &mut child);
        // A random moment during the next backup.
        load.wait_for("step", usize::try_from(random.below(1_000)).unwrap(), &mut child);
        child.kill().unwrap();
        child.wait().unwrap();
        let complete = load.complete();
        assert!(!complete.is_empty());
        let mut judge = Judge::new(load.seed, Size::Large, STEPS);
        let complaints: Vec<_> =
            complete.iter().filter_map(|case| complaint(case, &mut judge)).collect();
        assert!(complaints.is_empty(), "seed {seed}, round {round}:\n{}", complaints.join("\n"));
        for folder in unreported(&load, &complete) {
            work::open(&folder).unwrap();
        }
    }
}
