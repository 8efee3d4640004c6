//! A deterministic simulation of a hub: one thread, virtual time, and a seed that decides which
//! actor takes the next step.
//!
//! The hub's partitions, commits, activities and clients are those of production. Only the threads
//! that drive them are replaced, so a seed repeats an interleaving exactly.
//!
//! Read next: `world.rs` (a step), `note.rs` (the trace), `store.rs` (what may happen during a
//! store call), `choice.rs`, `policy.rs` (whose turn it is).

mod breakage;
mod choice;
mod clock;
mod note;
mod policy;
mod processes;
mod slot;
mod store;
mod world;

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

pub use self::breakage::Breakage;
pub use self::choice::{Choices, Deviation, Generator, Stream};
pub use self::clock::HubClock;
use self::world::World;
pub use self::world::{LogLine, Observer, say, sleep, spawn};
use crate::TaskHub;
use crate::client::{OpenError, TaskHubBuilder};
use crate::fresh::Seeded;
use crate::hub::drive::simulated::within;
use crate::hub::simulation::{self, Process};
use crate::marks;
pub use crate::marks::{Mark, all as marks};
use crate::protocol::Timestamp;
use crate::store::Store;
#[cfg(feature = "sled")]
pub use crate::store::simulated::{DiskCounts, DiskFaults, SimDisk};
use crate::testing::MemoryCluster;

/// The start of time: 2026-01-01T00:00:00Z, in microseconds.
const BEGINNING: i64 = 1_767_225_600_000_000;

/// A simulation on this thread; one at a time.
pub struct Simulation {
    world: Rc<World>,
    _ids: Seeded,
}

impl Simulation {
    /// A world with this store, in which these choices decide everything.
    pub fn new(choices: Choices, store: Arc<dyn Store>, observer: Box<dyn Observer>) -> Self {
        let beginning = Timestamp::from_micros(BEGINNING).unwrap_or_default();
        let ids = Seeded::new(choices.seed());
        marks::begin(choices.seed(), world::maybe, processes::pause);
        let world = World::begin(choices, store, None, beginning, observer);
        Self { world, _ids: ids }
    }

    /// A world in which several processes share a hub.
    pub fn of_cluster(
        choices: Choices,
        cluster: &MemoryCluster,
        observer: Box<dyn Observer>,
    ) -> Self {
        let beginning = Timestamp::from_micros(BEGINNING).unwrap_or_default();
        let ids = Seeded::new(choices.seed());
        marks::begin(choices.seed(), world::maybe, processes::pause);
        // A node that never joins, for observers from outside.
        let store = Arc::new(cluster.node());
        let cluster = Some(cluster.clone());
        let world = World::begin(choices, store, cluster, beginning, observer);
        Self { world, _ids: ids }
    }

    /// Keeps a log of the steps.
    pub fn keep_log(&self) {
        *self.world.log.borrow_mut() = Some(Vec::new());
    }

    /// The log of the steps.
    pub fn log(&self) -> Vec<LogLine> {
        self.world.log.borrow().clone().unwrap_or_default()
    }

    /// Opens a process: a hub with these options on the world's store. `size` chooses the hub's
    /// internal sizes: it gets the name and the value in production of each.
    ///
    /// # Errors
    /// See [`TaskHubBuilder::open`].
    pub fn open(
        &self,
        builder: TaskHubBuilder,
        size: impl FnMut(&'static str, usize) -> usize,
    ) -> Result<TaskHub, OpenError> {
        self.open_at(0, builder, size)
    }

    /// Opens one of several processes, as [`open`](Self::open) does.
    ///
    /// # Errors
    /// See [`TaskHubBuilder::open`].
    pub fn open_at(
        &self,
        number: usize,
        builder: TaskHubBuilder,
        size: impl FnMut(&'static str, usize) -> usize,
    ) -> Result<TaskHub, OpenError> {
        self.world.open(number, builder.sizes(size))
    }

    /// Adds a task, such as a client. It ends with its process.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_at(0, task);
    }

    /// Adds a task to one of several processes.
    pub fn spawn_at(&self, number: usize, task: impl Future<Output = ()> + Send + 'static) {
        within(number, || self.world.executor.spawn(task));
    }

    /// Takes one step. Returns `false` if no actor can continue and nothing will become due.
    pub fn step(&self) -> bool {
        self.world.step()
    }

    /// Ends the process without a shutdown, or all of them.
    pub fn crash(&self) {
        self.world.crash();
    }

    /// Ends one of several processes without a shutdown. Its leases stay valid until they
    /// [expire](Self::expire).
    pub fn crash_at(&self, number: usize) {
        self.world.crash_one(number);
    }

    /// Lets the leases of the dead processes of this place expire.
    pub fn expire(&self, number: usize) {
        self.world.expire(number);
    }

    /// Freezes one of several processes, so that it takes no steps, or lets it continue.
    pub fn freeze(&self, number: usize, is_frozen: bool) {
        self.world.freeze(number, is_frozen);
    }

    /// Lets the leases of one of several processes expire. The process does not notice, and gets no
    /// partitions until it is [reconnected](Self::reconnect).
    pub fn cut_off(&self, number: usize) {
        self.world.cut_off(number);
    }

    /// Ends the effect of [`cut_off`](Self::cut_off).
    pub fn reconnect(&self, number: usize) {
        self.world.reconnect(number);
    }

    /// Makes a process check at once whether it gains or loses partitions.
    pub fn renew(&self, number: usize) {
        self.world.with_process(number, Process::ring);
    }

    /// Tells the other processes that the shutdown of a process is complete.
    pub fn leave(&self, number: usize) {
        self.world.leave(number);
    }

    /// Makes the next call of the store fail.
    pub fn break_store(&self, breakage: Breakage) {
        self.world.breakage.set(Some(breakage));
    }

    /// Ends the runtime of the hub, but not the hub.
    pub fn end_runtime(&self) {
        self.world.end_runtime();
    }

    /// Whether a planned fault has happened since the process was opened: the hub has failed, or
    /// will fail when it encounters the fault.
    pub fn is_broken(&self) -> bool {
        self.world.is_broken()
    }

    /// Whether the hub has failed.
    pub fn has_failed(&self) -> bool {
        self.world.with_process(0, |process| process.failure().is_some()).unwrap_or(false)
    }

    /// Begins an orderly shutdown of a process: no more activities begin.
    pub fn close(&self, number: usize) {
        // From now on, failures are not recorded.
        self.world.breakage.take();
        self.world.must_fail.set(false);
        self.world.with_process(number, Process::close);
    }

    /// Whether everything that a shutdown waits for has ended.
    pub fn is_drained(&self, number: usize) -> bool {
        self.world.with_process(number, Process::is_drained).unwrap_or(true)
    }

    /// Tells the partitions to stop once they have handled their mail.
    pub fn stop(&self, number: usize) {
        self.world.with_process(number, Process::stop);
    }

    /// Whether the partitions have stopped, and everything that they wrote is committed.
    pub fn has_stopped(&self, number: usize) -> bool {
        self.world.with_process(number, Process::has_stopped).unwrap_or(true)
    }

    /// Lets this much time pass at once, even if something becomes due.
    pub fn jump(&self, ahead: std::time::Duration) {
        self.world.jump(ahead);
    }

    /// From now on every actor gets its turns, and no store call is preempted.
    pub fn calm_down(&self) {
        self.world.is_calm.set(true);
        self.world.breakage.take();
    }

    /// The choices of the seed.
    pub fn choose<T>(&self, choose: impl FnOnce(&mut Choices) -> T) -> T {
        choose(&mut self.world.choices.borrow_mut())
    }

    /// The number of steps that were taken.
    pub fn steps(&self) -> u64 {
        self.world.steps.get()
    }

    /// A hash of all steps.
    pub fn trace(&self) -> u64 {
        self.world.hash.get()
    }

    /// The time that the rules took.
    pub fn time_in_rules(&self) -> Duration {
        self.world.in_rules.get()
    }

    /// The time of the world.
    pub fn now(&self) -> Timestamp {
        self.world.now.get()
    }

    /// The number of tasks that have not ended, including those of the hub.
    pub fn tasks(&self) -> usize {
        self.world.executor.len()
    }

    /// The first failure.
    pub fn failure(&self) -> Option<String> {
        self.world.failure.borrow().clone()
    }

    /// Records a failure.
    pub fn fail(&self, wrong: String) {
        self.world.fail(wrong);
    }
}

/// The names of the internal sizes of a hub, and their values in production.
pub fn production_sizes() -> Vec<(&'static str, usize)> {
    simulation::production_sizes()
}

/// Runs something other than a hub on this thread, for example only a store, and counts the marks
/// that it reaches.
pub fn marked<T>(run: u64, what: impl FnOnce() -> T) -> T {
    marks::begin(run, |_| false, || ());
    let result = what();
    marks::end();
    result
}

impl Drop for Simulation {
    fn drop(&mut self) {
        self.world.crash();
        world::end();
        marks::end();
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation").field("steps", &self.steps()).finish_non_exhaustive()
    }
}
