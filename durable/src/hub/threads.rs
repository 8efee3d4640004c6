//! The hub's own threads: how they are started, counted, and waited for.
//!
//! Rules:
//! 1. A panic that reaches the end of a thread is a bug. It is recorded before the stack unwinds,
//!    and fails the hub with its text and the name of the thread.
//! 2. Either all threads of a hub start or none does any work: each waits at the [`Gate`] until the
//!    last one has been started.
//! 3. Clients use the store on threads of the hub, never on the runtime's blocking pool, which
//!    hanging activities may fill.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::drive::Drive;
use super::error::HubError;
use super::health::Health;
use super::time::wait::Deadline;
use crate::panics;

/// The maximum number of threads of a pool.
const POOL_MAX: usize = 4;

/// Counts running work, by name.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    running: Mutex<BTreeMap<u64, String>>,
    changed: Condvar,
}

/// Counted as running while this is held.
#[derive(Debug)]
pub(crate) struct Counted {
    tally: Arc<Tally>,
    number: u64,
}

impl Tally {
    pub(crate) fn count(self: &Arc<Self>, name: String) -> Counted {
        let mut running = self.running();
        let number = running.last_key_value().map_or(0, |(last, _)| last + 1);
        running.insert(number, name);
        Counted { tally: Arc::clone(self), number }
    }

    /// Blocks until no thread is running or until the deadline; returns the threads still running.
    pub(crate) fn wait(&self, deadline: &Deadline) -> Vec<String> {
        let mut running = self.running();
        while !running.is_empty() {
            running = match deadline.wait(&self.changed, running) {
                Ok(running) => running,
                Err(_late) => return self.running().values().cloned().collect(),
            };
        }
        Vec::new()
    }

    /// The number of running items.
    pub(crate) fn len(&self) -> usize {
        self.running().len()
    }

    /// Wakes the waiters to check their deadline again.
    pub(crate) fn recheck_deadline(&self) {
        drop(self.running());
        self.changed.notify_all();
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<u64, String>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.tally.running().remove(&self.number);
        self.tally.changed.notify_all();
    }
}

/// Where threads wait until all of them have been started.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    is_open: Mutex<Option<bool>>,
    changed: Condvar,
}

impl Gate {
    /// Lets the threads begin, or end without having begun.
    pub(crate) fn decide(&self, begin: bool) {
        self.is_open.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(begin);
        self.changed.notify_all();
    }

    /// Waits for the decision.
    fn may_begin(&self) -> bool {
        let mut is_open = self.is_open.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match *is_open {
                Some(begin) => return begin,
                None => {
                    is_open = self.changed.wait(is_open).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

/// Starts the threads of a hub.
#[derive(Clone, Debug)]
pub(crate) struct Threads {
    health: Arc<Health>,
    running: Arc<Tally>,
    gate: Arc<Gate>,
}

impl Threads {
    pub(crate) fn new(health: Arc<Health>) -> Self {
        Self { health, running: Arc::default(), gate: Arc::default() }
    }

    /// Starts a thread, which begins when the gate opens.
    pub(crate) fn start(
        &self,
        name: impl Into<String>,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let name = name.into();
        let (health, gate) = (Arc::clone(&self.health), Arc::clone(&self.gate));
        let counted = self.running.count(name.clone());
        let run = move || {
            let (name, _counted) = (thread_name(), counted);
            if gate.may_begin() {
                guard(&health, &name, work);
            } else {
                // Dropped before it counts as gone, because it may hold the store.
                drop(work);
            }
        };
        thread::Builder::new().name(name).spawn(run).map(drop)
    }

    /// Lets all threads begin.
    pub(crate) fn begin(&self) {
        self.gate.decide(true);
    }

    /// Ends the threads that have not begun, and waits for them.
    pub(crate) fn give_up(&self) {
        self.gate.decide(false);
        self.running.wait(&Deadline::default());
    }

    /// The running threads.
    pub(crate) fn running(&self) -> &Tally {
        &self.running
    }
}

/// Runs the work of a thread; what panics there fails the hub.
fn guard(health: &Arc<Health>, name: &str, work: impl FnOnce()) {
    let (noting, name) = (Arc::clone(health), name.to_owned());
    let report = move |panic: String| {
        noting.note(HubError::Panicked { thread: name.clone(), panic });
    };
    panics::watch(report, work);
    health.stop_if_failed();
}

fn thread_name() -> String {
    thread::current().name().unwrap_or("a thread").to_owned()
}

/// The threads on which clients use the store.
#[derive(Clone, Debug)]
pub(crate) struct StoreThreads {
    pub(crate) reads: Arc<Pool>,
    /// The threads that send requests to other nodes. They wait as long as the store cannot be
    /// written, and reads must not wait for that.
    pub(crate) asks: Arc<Pool>,
}

impl StoreThreads {
    pub(crate) fn new(threads: &Threads, drive: &Drive) -> Self {
        let pool = |name| Arc::new(Pool::new(name, threads.clone(), drive.clone()));
        Self { reads: pool("durable-read"), asks: pool("durable-ask") }
    }

    /// Starts the permanent threads.
    pub(crate) fn start(&self, has_nodes: bool) -> io::Result<()> {
        self.reads.start()?;
        if has_nodes { self.asks.start() } else { Ok(()) }
    }

    /// Runs the queued jobs, then ends the threads.
    pub(crate) fn close(&self) {
        self.reads.close();
        self.asks.close();
    }
}

/// One permanent thread, and more under load.
#[derive(Debug)]
pub(crate) struct Pool {
    name: &'static str,
    queue: Mutex<Queue>,
    work: Condvar,
    threads: Threads,
    drive: Drive,
}

type Work = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Work>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl Pool {
    fn new(name: &'static str, threads: Threads, drive: Drive) -> Self {
        Self { name, queue: Mutex::default(), work: Condvar::new(), threads, drive }
    }

    /// Starts the first thread.
    fn start(self: &Arc<Self>) -> io::Result<()> {
        self.queue().threads = 1;
        self.start_one(1)
    }

    /// Submits a job. Jobs that arrive after the hub has closed are dropped.
    pub(crate) fn submit(self: &Arc<Self>, work: impl FnOnce() + Send + 'static) {
        if self.drive.is_simulated() {
            self.drive.spawn_apart(async move { work() });
            return;
        }
        let mut queue = self.queue();
        if queue.closed {
            return;
        }
        queue.waiting.push_back(Box::new(work));
        let number = queue.threads + 1;
        let wants_more = queue.idle < queue.waiting.len() && number <= POOL_MAX;
        queue.threads += usize::from(wants_more);
        let is_awaited = queue.idle > 0;
        drop(queue);
        // A notification is a system call, even if no thread waits.
        if is_awaited {
            self.work.notify_one();
        }
        // If no thread can be started, the job waits for the existing ones.
        if wants_more && self.start_one(number).is_err() {
            self.queue().threads -= 1;
        }
    }

    fn close(&self) {
        self.queue().closed = true;
        self.work.notify_all();
    }

    fn start_one(self: &Arc<Self>, number: usize) -> io::Result<()> {
        let pool = Arc::clone(self);
        self.threads.start(format!("{}-{number}", self.name), move || pool.run())
    }

    fn run(&self) {
        let mut queue = self.queue();
        loop {
            if let Some(work) = queue.waiting.pop_front() {
                drop(queue);
                panics::shield(work);
                queue = self.queue();
            } else if queue.closed {
                return;
            } else {
                queue.idle += 1;
                queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
                queue.idle -= 1;
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}
