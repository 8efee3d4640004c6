//! The processes in which a store is opened: their tasks, and how a test communicates with them.
//!
//! A test runs this program again, with only the test `child_process`, which performs a task: it
//! works on a store until it is told to end, or checks folders one by one.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::backup::Load;
use crate::check::{self, Case, Finding};
use crate::disk_full::SmallDisk;
use crate::small_segments;
use crate::work::{self, Size, Step, Work};

/// The environment variable with the task of a child, as JSON.
const TASK: &str = "DURABLE_TEST_CHILD";
/// The beginning of each line with an answer. The other lines of the output come from the test
/// harness.
const ANSWER: &str = "answer: ";
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    Work(Session),
    /// Checks the folders that are named on its input, one per line.
    Check {
        seed: u64,
        size: Size,
        steps: usize,
    },
    /// Opens and closes the store in a folder.
    Open(PathBuf),
    /// Makes backups under load.
    Backup(Load),
    /// Fills the small disk on which its folder is.
    FillDisk(SmallDisk),
    /// Opens a tree with small segments on the small disk on which this folder is.
    OpenWithoutRoom(PathBuf),
}

/// Some of the steps of a [`Work`], done to the store in `ROOT/hub` by one process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    /// The file `marks` beside the hub lists the steps that were issued and acknowledged.
    pub(crate) root: PathBuf,
    pub(crate) seed: u64,
    pub(crate) size: Size,
    /// The number of all steps.
    pub(crate) steps: usize,
    /// The process continues from the content of the store up to this step.
    pub(crate) to: usize,
    pub(crate) end: End,
}

/// How a [`Session`] ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    /// The store is closed.
    Closed,
    /// The process is killed between two steps.
    Killed,
    /// The process is killed in the middle of its last step, before the sync. The step must be a
    /// commit, so there may be a few more steps.
    KilledInStep,
}

/// The body of the test `child_process`.
pub(crate) fn run() {
    let Ok(task) = env::var(TASK) else { return };
    match serde_json::from_str(&task).unwrap() {
        Task::Work(session) => session.run(),
        Task::Check { seed, size, steps } => check_all(&Work::new(seed, size, steps)),
        Task::Open(folder) => match work::open(&folder) {
            Ok(_store) => answer("opened"),
            Err(error) => answer(&error.to_string()),
        },
        Task::Backup(load) => load.run(),
        Task::FillDisk(disk) => disk.fill().unwrap(),
        Task::OpenWithoutRoom(disk) => small_segments::open_without_room(&disk),
    }
}

/// The command that does `task` in a process of its own.
pub(crate) fn command(task: &Task) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "child_process", "--ignored", "--nocapture", "--test-threads", "1"])
        .env(TASK, serde_json::to_string(task).unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Sends a line to the parent process.
pub(crate) fn answer(text: &str) {
    println!("{ANSWER}{text}");
}

pub(crate) fn answer_in(line: &str) -> Option<&str> {
    line.split_once(ANSWER).map(|(_, answer)| answer)
}

impl Session {
    /// Performs the steps and records their progress: `found N` once it knows how many steps the
    /// store contains, `issued N` before the N-th step, and `acknowledged N` or `failed: ..` after
    /// it.
    fn run(&self) {
        let before = Marks::of(&self.root);
        let marks = self.root.join("marks");
        let mut marks = OpenOptions::new().create(true).append(true).open(marks).unwrap();
        let mut note = |text: String| marks.write_all(format!("{text}\n").as_bytes()).unwrap();
        let work = Work::new(self.seed, self.size, self.steps);
        let store = match work::open(&self.root.join("hub")) {
            Ok(store) => store,
            Err(error) => return note(format!("failed: {error}")),
        };
        let found = match check::steps_in(&store, before.acknowledged..=before.issued, &work) {
            Ok(found) => found,
            Err(error) => return note(format!("failed: {error}")),
        };
        note(format!("found {found}"));
        for (number, step) in (1..).zip(&work.steps).skip(found) {
            let is_last = number >= self.to;
            if is_last && self.end == End::KilledInStep && matches!(step, Step::Commit(_)) {
                note("?".to_owned());
            } else if number > self.to {
                break;
            }
            note(format!("issued {number}"));
            match step.apply(&store) {
                Ok(()) => note(format!("acknowledged {number}")),
                Err(error) => note(format!("failed: {error}")),
            }
        }
        if self.end != End::Closed {
            note("!".to_owned());
        }
    }
}

fn check_all(work: &Work) {
    for line in std::io::stdin().lines() {
        let case: Case = serde_json::from_str(&line.unwrap()).unwrap();
        answer(&serde_json::to_string(&check::check(&case, work)).unwrap());
    }
}

/// A process that checks folders. If it dies, another one replaces it.
pub(crate) struct Judge {
    task: Task,
    process: Option<Process>,
}

struct Process {
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
    errors: File,
}

impl Judge {
    pub(crate) fn new(seed: u64, size: Size, steps: usize) -> Self {
        Self { task: Task::Check { seed, size, steps }, process: None }
    }

    pub(crate) fn judge(&mut self, case: &Case) -> Finding {
        let mut process = self.process.take().unwrap_or_else(|| Process::start(&self.task));
        // If it has died, this is noticed below.
        let _ = writeln!(process.input, "{}", serde_json::to_string(case).unwrap());
        match process.answers.recv_timeout(PATIENCE) {
            Ok(answer) => {
                self.process = Some(process);
                serde_json::from_str(&answer).unwrap()
            }
            Err(RecvTimeoutError::Timeout) => Finding::Hung,
            Err(RecvTimeoutError::Disconnected) => Finding::Died(process.last_words()),
        }
    }
}

impl Process {
    fn start(task: &Task) -> Self {
        let errors = tempfile::tempfile().unwrap();
        let mut child = command(task)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors.try_clone().unwrap())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some(answer) = answer_in(&line) {
                    let _ = sender.send(answer.to_owned());
                }
            }
        });
        Self { input: child.stdin.take().unwrap(), child, answers, errors }
    }

    fn last_words(&mut self) -> String {
        let mut said = String::new();
        let _ = self.errors.rewind();
        let _ = self.errors.read_to_string(&mut said);
        last_words(self.child.wait().unwrap(), &said)
    }
}

/// How a process ended, and the last lines of its standard error.
pub(crate) fn last_words(status: ExitStatus, said: &str) -> String {
    let lines: Vec<_> = said.lines().rev().take(8).collect();
    format!("{status}: {}", lines.into_iter().rev().collect::<Vec<_>>().join(" / "))
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder of a test, whose path contains no symbolic links.
pub(crate) fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    (folder, path)
}

/// The numbers of acknowledged and issued steps, and the failures, from the file of a [`Session`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) acknowledged: usize,
    pub(crate) issued: usize,
    /// The errors of the failed steps.
    pub(crate) failures: Vec<String>,
    /// Whether a step was acknowledged after one had failed.
    pub(crate) goes_on: bool,
}

impl Marks {
    pub(crate) fn of(root: &Path) -> Self {
        let mut marks = Self::default();
        let text = std::fs::read_to_string(root.join("marks")).unwrap_or_default();
        text.lines().for_each(|line| marks.note(line));
        marks
    }

    pub(crate) fn note(&mut self, line: &str) {
        if let Some(number) = line.strip_prefix("issued ") {
            // Every step after a failure must fail as well.
            if self.failures.is_empty() {
                self.issued = number.parse().unwrap();
            }
        } else if let Some(number) = line.strip_prefix("found ") {
            self.issued = number.parse().unwrap();
            self.acknowledged = self.issued;
        } else if let Some(number) = line.strip_prefix("acknowledged ") {
            self.goes_on |= !self.failures.is_empty();
            self.acknowledged = number.parse().unwrap();
        } else if let Some(failure) = line.strip_prefix("failed: ") {
            self.failures.push(failure.to_owned());
        }
    }
}
