//! The world of a simulation: who can go on, whose turn it is, and what runs in between.
//!
//! Rules:
//! 1. A step is one choice, carried out: a turn of a partition, a step of a commit, a poll of a
//!    task, or the passing of time.
//! 2. A store call may be *preempted*: before and after it, steps of others run on the same stack,
//!    as other threads could have run there. An actor that is on the stack already takes no step.
//! 3. A panic that leaves a step is a failure of the hub.
//! 4. In the calm phase nothing is preempted, everybody gets their turn, and time passes only when
//!    nobody can go on.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::breakage::Breakage;
use super::choice::{Choices, Generator, Stream};
use super::policy::{Actor, Manner};
use crate::TaskHub;
use crate::chance;
use crate::client::{OpenError, TaskHubBuilder};
use crate::hub::drive::simulated::{Executor, spawn_apart};
use crate::hub::simulation::Process;
use crate::hub::time::clock::stopwatch;
use crate::panics;
use crate::protocol::Timestamp;
use crate::store::{Commit, Store, StoreError};

/// How many preemptions may be nested.
const DEPTH_MAX: u32 = 3;
/// One in this many steps checks what the partitions keep in memory.
const CHECKED: u64 = 4;

/// A step with more store calls than this works on something that does not end.
const CALLS_MAX: u64 = 20_000;

thread_local! {
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

/// Sees every commit.
pub trait Observer {
    /// Called before a commit is applied to the store.
    ///
    /// # Errors
    /// What is wrong with the commit, beginning with the number of the rule.
    fn before(&mut self, commit: &Commit, store: &dyn Store) -> Result<(), String>;

    /// Called after a commit was applied to the store.
    ///
    /// # Errors
    /// What is wrong with the store now.
    fn after(&mut self, commit: &Commit, store: &dyn Store) -> Result<(), String>;
}

/// One thing that was done.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// The number of the step.
    pub step: u64,
    /// When.
    pub time: Timestamp,
    /// In the middle of how many store calls of others.
    pub depth: u32,
    /// Whose turn it was. Empty for what a turn does.
    pub actor: String,
    /// What was done.
    pub what: String,
}

/// The world of a simulation.
pub(super) struct World {
    pub(super) choices: RefCell<Choices>,
    pub(super) executor: Executor,
    pub(super) process: RefCell<Option<Rc<Process>>>,
    is_alive: RefCell<Arc<AtomicBool>>,
    pub(super) store: Arc<dyn Store>,
    observer: RefCell<Box<dyn Observer>>,
    manner: RefCell<Manner>,
    pub(super) is_calm: Cell<bool>,
    /// How the next call of the store fails.
    pub(super) breakage: Cell<Option<Breakage>>,
    /// Whether a planned fault entitles the hub to fail, and whether it has to.
    pub(super) may_fail: Cell<bool>,
    pub(super) must_fail: Cell<bool>,
    /// Who takes a step.
    actor: Cell<Option<Actor>>,
    pub(super) now: Cell<Timestamp>,
    depth: Cell<u32>,
    /// The store calls of the present step, with those of the steps that preempt it.
    pub(super) calls: Cell<u64>,
    pub(super) steps: Cell<u64>,
    pub(super) hash: Cell<u64>,
    pub(super) failure: RefCell<Option<String>>,
    /// How long the rules took.
    pub(super) in_rules: Cell<Duration>,
    /// What was done, if somebody wants to read it.
    pub(super) log: RefCell<Option<Vec<LogLine>>>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Go(Actor),
    Time(Timestamp),
}

impl World {
    pub(super) fn begin(
        mut choices: Choices,
        store: Arc<dyn Store>,
        beginning: Timestamp,
        observer: Box<dyn Observer>,
    ) -> Rc<Self> {
        let seed = choices.seed();
        let manner = RefCell::new(Manner::draw(&mut choices));
        let world = Rc::new(Self {
            choices: RefCell::new(choices),
            executor: Executor::begin(),
            process: RefCell::default(),
            is_alive: RefCell::default(),
            store,
            observer: RefCell::new(observer),
            manner,
            is_calm: Cell::new(false),
            breakage: Cell::default(),
            may_fail: Cell::default(),
            must_fail: Cell::default(),
            actor: Cell::default(),
            now: Cell::new(beginning),
            depth: Cell::new(0),
            calls: Cell::new(0),
            steps: Cell::new(0),
            hash: Cell::new(seed),
            failure: RefCell::default(),
            in_rules: Cell::default(),
            log: RefCell::default(),
        });
        WORLD.set(Some(Rc::clone(&world)));
        world
    }

    /// Opens a process, whose store works while it `is_alive`.
    pub(super) fn open(
        &self,
        builder: TaskHubBuilder,
        is_alive: Arc<AtomicBool>,
    ) -> Result<TaskHub, OpenError> {
        let process = Process::open(builder.virtual_time(self.now.get()))?;
        let hub = process.hub().clone();
        *self.is_alive.borrow_mut() = is_alive;
        *self.process.borrow_mut() = Some(Rc::new(process));
        self.note("open", 0);
        Ok(hub)
    }

    /// Ends the process: nothing of it reaches the store any more.
    pub(super) fn crash(&self) {
        self.note("crash", 0);
        mark!("fault: the process ends without a shutdown");
        mark!(self.with_process(Process::has_commit) == Some(true), "fault: .. during a commit");
        self.is_alive.borrow().store(false, Ordering::Relaxed);
        self.breakage.take();
        self.may_fail.set(false);
        self.must_fail.set(false);
        let cleared = self.executor.clear();
        // Outside of the borrow, because destructors run.
        let process = self.process.borrow_mut().take();
        let dropped = panics::catch(|| drop(process));
        if let Err(panic) = cleared.and(dropped).and(self.executor.clear()) {
            self.fail(format!("I21 the end of the process: {}", panic.message));
        }
    }

    /// Ends the runtime of the hub, with all that runs on it.
    pub(super) fn end_runtime(&self) {
        self.note("runtime", 0);
        self.may_fail.set(true);
        let was_used = self.executor.end_runtime();
        mark!(was_used, "fault: the runtime of the hub ends");
        self.must_fail.set(was_used);
    }

    /// Whether a planned fault has happened, so that the hub has failed or will.
    pub(super) fn is_broken(&self) -> bool {
        self.may_fail.get()
    }

    pub(super) fn with_process<T>(&self, function: impl FnOnce(&Process) -> T) -> Option<T> {
        self.process().map(|process| function(&process))
    }

    fn process(&self) -> Option<Rc<Process>> {
        self.process.borrow().clone()
    }

    /// How much a step takes: all, or what the seed wants.
    fn amount(&self, wanted: impl FnOnce(&mut Generator) -> u32) -> usize {
        if self.is_calm.get() {
            return usize::MAX;
        }
        match self.choices.borrow_mut().decide(Stream::Amount, u32::MAX, wanted) {
            0 => usize::MAX,
            some => some as usize,
        }
    }

    /// Takes one step. Returns `false` if nobody can go on, and nothing will be due.
    pub(super) fn step(&self) -> bool {
        let Some(process) = self.process() else { return false };
        let Some(step) = self.choose(&process, true) else { return false };
        self.calls.set(0);
        self.take(&process, step);
        let (steps, calls) = (self.steps.get(), self.calls.get());
        if calls > CALLS_MAX {
            self.fail(format!("I19 one step makes {calls} store calls"));
        }
        // A hub that has failed carries out no more effects.
        if steps.is_multiple_of(CHECKED)
            && !self.may_fail.get()
            && let Err(wrong) = self.timed(|| process.check(&*self.store))
        {
            self.fail(wrong);
        }
        match process.failure() {
            Some(failure) if !self.may_fail.get() => {
                self.fail(format!("I22 the hub has failed, and no fault was planned: {failure}"));
            }
            None if self.must_fail.get() => {
                self.fail("I22 a fault was planned, and the hub has not noticed it".to_owned());
            }
            _ => {}
        }
        true
    }

    /// Lets this much time pass at once, whatever is due.
    pub(super) fn jump(&self, ahead: Duration) {
        if let Some(process) = self.process() {
            self.take(&process, Step::Time(process.now().after(ahead)));
        }
    }

    /// Chooses among those who can go on.
    fn choose(&self, process: &Process, time_may_pass: bool) -> Option<Step> {
        let mut actors = Vec::with_capacity(8);
        let partitions = (0..process.partitions()).filter(|index| process.has_turn(*index));
        actors.extend(partitions.map(Actor::Partition));
        actors.extend(process.has_commit().then_some(Actor::Commit));
        self.executor.each_ready(|task| actors.push(Actor::Task(task)));
        let is_calm = self.is_calm.get();
        let mut manner = self.manner.borrow_mut();
        let choices = &mut *self.choices.borrow_mut();
        if time_may_pass {
            let hurries = !is_calm && choices.one_in(Stream::Time, manner.hurries);
            if (actors.is_empty() || hurries)
                && let Some(due) = process.next_due()
            {
                mark!(!actors.is_empty(), "fault: time passes while somebody could go on");
                return Some(Step::Time(due.max(process.now())));
            }
        }
        manner.choose(&actors, is_calm, choices).map(Step::Go)
    }

    fn take(&self, process: &Process, step: Step) {
        self.steps.set(self.steps.get() + 1);
        let before = self.actor.replace(match step {
            Step::Go(actor) => Some(actor),
            Step::Time(_) => None,
        });
        let taken = match step {
            Step::Go(Actor::Partition(index)) => {
                self.note("turn", index as u64);
                let mail = self.manner.borrow().mail;
                process.turn(index, self.amount(|_| mail), preempt)
            }
            Step::Go(Actor::Commit) => {
                self.note("commit", 0);
                process.commit(self.amount(|generator| generator.below(4)))
            }
            Step::Go(Actor::Task(task)) => {
                self.note("poll", task);
                self.executor.poll(task)
            }
            Step::Time(time) => {
                self.note("time", time.to_datetime().timestamp_micros().unsigned_abs());
                self.now.set(time);
                process.advance_to(time);
                Ok(())
            }
        };
        self.actor.set(before);
        if let Err(panic) = taken {
            self.fail(format!("I21 {step:?}: {}", panic.message));
        }
    }

    /// Notes the first thing that goes wrong.
    pub(super) fn fail(&self, wrong: String) {
        self.failure.borrow_mut().get_or_insert(wrong);
    }

    /// Adds to the trace.
    pub(super) fn note(&self, what: &str, number: u64) {
        self.mix(
            number.wrapping_add(what.len() as u64).wrapping_add(u64::from(what.as_bytes()[0])),
        );
        self.log(|| (format!("{what} {number}"), String::new()));
    }

    /// Adds what a turn does to the log.
    pub(super) fn say(&self, line: impl FnOnce() -> String) {
        self.log(|| (String::new(), line()));
    }

    fn log(&self, line: impl FnOnce() -> (String, String)) {
        if let Some(log) = &mut *self.log.borrow_mut() {
            let (actor, what) = line();
            let (step, time, depth) = (self.steps.get(), self.now.get(), self.depth.get());
            log.push(LogLine { step, time, depth, actor, what });
        }
    }

    pub(super) fn mix(&self, number: u64) {
        self.hash
            .set((self.hash.get() ^ number).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29));
    }

    fn observe(&self, observed: impl FnOnce(&mut dyn Observer) -> Result<(), String>) {
        if let Err(wrong) = self.timed(|| observed(&mut **self.observer.borrow_mut())) {
            self.fail(wrong);
        }
    }

    fn timed<T>(&self, rule: impl FnOnce() -> T) -> T {
        let began = stopwatch();
        let checked = rule();
        self.in_rules.set(self.in_rules.get() + began.elapsed());
        checked
    }
}

fn current() -> Option<Rc<World>> {
    WORLD.with_borrow(Clone::clone)
}

/// Counts a store call. A step that makes very many is ended by a panic, because it may make them
/// forever.
pub(super) fn count_call() {
    let Some(world) = current() else { return };
    world.calls.set(world.calls.get() + 1);
    if world.calls.get() > 2 * CALLS_MAX {
        world.fail(format!("I19 one step makes {} store calls", world.calls.get()));
        panic!("it makes too many store calls");
    }
}

/// How the present call of the store fails, if it does. A partition or a commit cannot go on without
/// it.
pub(super) fn take_breakage() -> Option<Breakage> {
    let world = current()?;
    let breakage = world.breakage.take()?;
    mark!(breakage.panics, "fault: a call of the store panics");
    mark!(!breakage.panics, "fault: a call of the store fails");
    world.may_fail.set(true);
    if let Some(Actor::Partition(_) | Actor::Commit) = world.actor.get() {
        world.must_fail.set(true);
    }
    Some(breakage)
}

/// A place where other threads could run.
pub(super) fn preempt() {
    let Some(world) = current() else { return };
    if world.is_calm.get() || world.depth.get() >= DEPTH_MAX {
        return;
    }
    let one_in = world.manner.borrow().preempts;
    // 0: nobody. Half of the time, only a commit goes on: it takes several steps until its write is
    // durable.
    let who = world.choices.borrow_mut().decide(Stream::Preempt, 3, |generator| {
        if generator.below(one_in) == 0 { 1 + generator.below(2) } else { 0 }
    });
    let Some(process) = world.process().filter(|_| who > 0) else { return };
    mark!(who == 1, "fault: a commit overtakes a store call");
    mark!(who == 2, "fault: others run during a store call");
    mark!(world.depth.get() + 1 == DEPTH_MAX, "fault: .. as deep as may be");
    world.depth.set(world.depth.get() + 1);
    let most = world.choices.borrow_mut().one_of(Stream::Amount, &[1, 2, 4, 8, 24]);
    for _ in 0..most {
        let step = if who == 1 {
            process.has_commit().then_some(Step::Go(Actor::Commit))
        } else {
            world.choose(&process, false)
        };
        let Some(step) = step else { break };
        world.take(&process, step);
    }
    world.depth.set(world.depth.get() - 1);
}

/// Whether a seed wants what is called `name` to happen now.
pub(super) fn maybe(name: &'static str) -> bool {
    let Some(world) = current().filter(|world| !world.is_calm.get()) else { return false };
    let choices = &mut *world.choices.borrow_mut();
    // A quarter of the seeds do it, a quarter of the times.
    let of_name = name.bytes().fold(choices.seed(), |hash, byte| chance::number(hash, byte.into()));
    let is_on = of_name % 4 == 0;
    choices.decide(Stream::Maybe, 2, |generator| u32::from(is_on && generator.below(4) == 0)) == 1
}

pub(super) fn before_commit(commit: &Commit, store: &dyn Store) {
    let Some(world) = current() else { return };
    world.note_commit(commit);
    world.observe(|observer| observer.before(commit, store));
}

pub(super) fn after_commit(commit: &Commit, store: &dyn Store, error: Option<&StoreError>) {
    let Some(world) = current() else { return };
    match error {
        Some(error) => world.fail(format!("I22 a commit is refused: {error}")),
        None => world.observe(|observer| observer.after(commit, store)),
    }
}

/// Sleeps for this much of the world's time, counted from this call. Outside of a simulation it
/// returns at once.
pub fn sleep(time: Duration) -> impl Future<Output = ()> + Send {
    let process = current().and_then(|world| world.process());
    let asleep = process.map(|process| process.sleep(time));
    async move {
        if let Some(asleep) = asleep {
            asleep.await;
        }
    }
}

/// Adds a task to the simulation of this thread. It ends with the process.
pub fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    spawn_apart(task);
}

/// Adds a line to the log of this thread's simulation, if it keeps one.
pub fn say(line: impl FnOnce() -> String) {
    if let Some(world) = current() {
        world.say(line);
    }
}

/// Ends the world of this thread.
pub(super) fn end() {
    drop(WORLD.take());
}
