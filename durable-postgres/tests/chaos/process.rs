//! The processes as the test sees them: it starts them, hears what they say, and does them harm.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::work::Receipt;
use crate::worker::{SAYS, Said, TASK, Task};

/// Variables that are set for a process.
pub(crate) type Environment = Vec<(&'static str, String)>;

/// All that processes have said.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    all: Mutex<All>,
    changed: Condvar,
}

#[derive(Debug, Default)]
pub(crate) struct All {
    /// The jobs that were acknowledged.
    pub(crate) started: BTreeSet<String>,
    pub(crate) done: BTreeMap<String, Receipt>,
    pub(crate) wrong: Vec<String>,
    /// The processes that have joined, and what their wall clocks read then.
    pub(crate) ready: BTreeMap<String, u64>,
    idle: BTreeSet<String>,
}

/// A process. It is killed with this value.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) name: String,
    child: Child,
    listener: Option<JoinHandle<()>>,
    heard: Arc<Heard>,
}

impl Heard {
    pub(crate) fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn hear(&self, process: &str, said: Said) {
        let mut all = self.all();
        match said {
            Said::Ready(clock) => drop(all.ready.insert(process.to_owned(), clock)),
            Said::Idle => drop(all.idle.insert(process.to_owned())),
            Said::Failed(what) => all.wrong.push(format!("{process}: {what}")),
            Said::Started(job) => drop(all.started.insert(job)),
            Said::Done(job, receipt) => {
                let before = all.done.insert(job.clone(), receipt.clone());
                if let Some(before) = before.filter(|before| *before != receipt) {
                    all.wrong.push(format!("{job} gave {before:?} and then {receipt:?}"));
                }
            }
        }
        drop(all);
        self.changed.notify_all();
    }

    /// Waits until enough was heard.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, limit: Duration, is_enough: impl Fn(&All) -> bool) {
        let waited = self.changed.wait_timeout_while(self.all(), limit, |all| !is_enough(all));
        let (all, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "not within {limit:?}: {what}; {:?}", all.wrong);
    }
}

impl Process {
    pub(crate) fn start(task: &Task, heard: &Arc<Heard>, environment: &Environment) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "worker_process", "--nocapture"]);
        command.env(TASK, serde_json::to_string(task).expect("JSON"));
        command.envs(environment.iter().cloned());
        // In a group of its own: if the test dies, the system also ends a process that is stopped.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a process");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let (name, to) = (task.name.clone(), Arc::clone(heard));
        let listener = thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // The harness begins a line of its own.
                if let Some((_, said)) = line.split_once(SAYS) {
                    to.hear(&name, serde_json::from_str(said).expect("what a process says"));
                }
            }
        });
        let (name, heard) = (task.name.clone(), Arc::clone(heard));
        Self { name, child, listener: Some(listener), heard }
    }

    pub(crate) fn wait_until_ready(&self, limit: Duration) {
        self.heard
            .wait(&format!("{} joins", self.name), limit, |all| all.ready.contains_key(&self.name));
    }

    /// Sends a signal, such as `STOP`.
    pub(crate) fn signal(&self, signal: &str) {
        let mut kill = Command::new("kill");
        let sent = kill.args([&format!("-{signal}"), &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|sent| sent.success()), "SIG{signal} to {}", self.name);
    }

    /// Kills the process, wherever it is.
    pub(crate) fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        self.listener.take().map(JoinHandle::join);
    }

    /// Lets it start nothing more.
    pub(crate) fn let_finish(&mut self) {
        let input = self.child.stdin.as_mut().expect("its input");
        input.write_all(b"finish\n").expect("it reads");
    }

    pub(crate) fn wait_until_idle(&self, limit: Duration) {
        let what = format!("{} is idle", self.name);
        self.heard.wait(&what, limit, |all| all.idle.contains(&self.name));
    }

    /// Lets it leave the hub, and ends it.
    pub(crate) fn leave(mut self) {
        drop(self.child.stdin.take());
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{} ended with {status}", self.name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
