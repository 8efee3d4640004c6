//! The world of a simulation: which actors can continue, whose turn it is, and what runs in
//! between.
//!
//! Rules:
//! 1. A step is one choice, carried out: a turn of a partition, a step of a commit, a poll of a
//!    task, or the passing of time.
//! 2. A store call may be *preempted*: before and after it, steps of other actors run on the same
//!    stack, because other threads could have run there. The same holds at each `pause!()`. An
//!    actor that is already on the stack takes no step.
//! 3. A panic that leaves a step is a failure of the hub.
//! 4. In the calm phase no call is preempted, every actor gets its turns, and time passes only when
//!    no actor can continue.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::breakage::Breakage;
use super::choice::{Choices, Generator, Stream};
use super::policy::{Actor, Manner};
use super::slot::Slot;
use crate::chance;
use crate::hub::drive::simulated::{Executor, process as present, spawn_apart};
use crate::hub::simulation::Process;
use crate::hub::time::clock::stopwatch;
use crate::protocol::{FailureDetails, Timestamp};
use crate::store::{Commit, Store, StoreError};
use crate::testing::MemoryCluster;

/// The most nested preemptions.
const DEPTH_MAX: u32 = 3;
/// One in this many steps checks what the partitions keep in memory.
const CHECKED: u64 = 4;

/// A step with more store calls than this is taken for an endless loop.
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

/// One entry of the log.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// The number of the step.
    pub step: u64,
    /// When.
    pub time: Timestamp,
    /// How many store calls of other actors were in progress.
    pub depth: u32,
    /// Whose turn it was. Empty for what happens during a turn.
    pub actor: String,
    /// What happened.
    pub what: String,
}

/// The world of a simulation.
pub(super) struct World {
    pub(super) choices: RefCell<Choices>,
    pub(super) executor: Executor,
    /// The processes, by number. Only the first one, unless they share a hub.
    pub(super) slots: RefCell<Vec<Slot>>,
    pub(super) store: Arc<dyn Store>,
    pub(super) cluster: Option<MemoryCluster>,
    /// Whether nothing has happened since all processes checked whether they gain or lose
    /// partitions.
    pub(super) has_settled: Cell<bool>,
    observer: RefCell<Box<dyn Observer>>,
    manner: RefCell<Manner>,
    pub(super) is_calm: Cell<bool>,
    /// How the next call of the store fails, if it is to fail.
    pub(super) breakage: Cell<Option<Breakage>>,
    /// Whether a planned fault entitles the hub to fail, and whether it has to.
    pub(super) may_fail: Cell<bool>,
    pub(super) must_fail: Cell<bool>,
    /// The actors that are taking a step.
    pub(super) actor: Cell<Option<Actor>>,
    pub(super) now: Cell<Timestamp>,
    depth: Cell<u32>,
    /// The number of store calls of the current step, including those of steps that preempt it.
    pub(super) calls: Cell<u64>,
    pub(super) steps: Cell<u64>,
    pub(super) hash: Cell<u64>,
    pub(super) failure: RefCell<Option<String>>,
    /// The time that the rules took.
    pub(super) in_rules: Cell<Duration>,
    /// The log, if it is kept.
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
        cluster: Option<MemoryCluster>,
        beginning: Timestamp,
        observer: Box<dyn Observer>,
    ) -> Rc<Self> {
        let seed = choices.seed();
        let manner = RefCell::new(Manner::draw(&mut choices));
        let world = Rc::new(Self {
            choices: RefCell::new(choices),
            executor: Executor::begin(),
            slots: RefCell::default(),
            store,
            cluster,
            has_settled: Cell::default(),
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

    /// Ends the runtime of the hub and everything that runs on it.
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

    /// How much a step takes: everything, or as much as the seed chooses.
    fn amount(&self, wanted: impl FnOnce(&mut Generator) -> u32) -> usize {
        if self.is_calm.get() {
            return usize::MAX;
        }
        match self.choices.borrow_mut().decide(Stream::Amount, u32::MAX, wanted) {
            0 => usize::MAX,
            some => some as usize,
        }
    }

    /// Takes one step. Returns `false` if no actor can continue and nothing will become due.
    pub(super) fn step(&self) -> bool {
        let Some(step) = self.choose(true) else { return self.look_again() };
        self.calls.set(0);
        self.take(step);
        let (steps, calls) = (self.steps.get(), self.calls.get());
        if calls > CALLS_MAX {
            self.fail(format!("I19 one step makes {calls} store calls"));
        }
        for (number, process) in self.live() {
            // A hub that has failed carries out no further effects.
            if steps.is_multiple_of(CHECKED)
                && !self.may_fail.get()
                && let Err(wrong) = self.timed(|| self.check(number, &process))
            {
                self.fail(wrong);
            }
            match process.failure() {
                Some(failure) if !self.may_fail.get() => {
                    let what = "I22 the hub has failed, and no fault was planned";
                    self.fail(format!("{what}: {failure}"));
                }
                None if self.must_fail.get() => {
                    self.fail("I22 a fault was planned, and the hub has not noticed it".to_owned());
                }
                _ => {}
            }
        }
        true
    }

    /// Called when no actor can continue. A second later, processes that share a hub check whether
    /// they gain or lose partitions. Returns whether they do that now.
    fn look_again(&self) -> bool {
        if self.cluster.is_none() || self.has_settled.replace(true) {
            return false;
        }
        let live = self.live();
        for (_, process) in &live {
            process.ring();
        }
        !live.is_empty()
    }

    /// Lets this much time pass at once, even if something becomes due.
    pub(super) fn jump(&self, ahead: Duration) {
        if !self.live().is_empty() {
            self.take(Step::Time(self.now.get().after(ahead)));
        }
    }

    /// Chooses one of the actors that can continue.
    fn choose(&self, time_may_pass: bool) -> Option<Step> {
        let (live, mut actors) = (self.live(), Vec::with_capacity(8));
        for (number, process) in &live {
            let partitions = (0..process.partitions()).filter(|index| process.has_turn(*index));
            actors.extend(partitions.map(|index| Actor::Partition(*number, index)));
        }
        let commits = live.iter().filter(|(_, process)| process.has_commit());
        actors.extend(commits.map(|(number, _)| Actor::Commit(*number)));
        self.executor.each_ready(|task, of| {
            if self.cluster.is_none() || live.iter().any(|(number, _)| *number == of) {
                actors.push(Actor::Task(task));
            }
        });
        if self.cluster.is_some() {
            let receiving = live.iter().filter(|(number, process)| self.receives(*number, process));
            actors.extend(receiving.map(|(number, _)| Actor::Inbox(*number)));
            let supervising = live.iter().filter(|(_, process)| process.has_supervisor());
            actors.extend(supervising.map(|(number, _)| Actor::Supervisor(*number)));
        }
        let is_calm = self.is_calm.get();
        let mut manner = self.manner.borrow_mut();
        let choices = &mut *self.choices.borrow_mut();
        if time_may_pass {
            let hurries = !is_calm && choices.one_in(Stream::Time, manner.hurries);
            if (actors.is_empty() || hurries)
                && let Some(due) = live.iter().filter_map(|(_, process)| process.next_due()).min()
            {
                mark!(!actors.is_empty(), "fault: time passes while somebody could go on");
                return Some(Step::Time(due.max(self.now.get())));
            }
        }
        manner.choose(&actors, is_calm, choices).map(Step::Go)
    }

    fn take(&self, step: Step) {
        self.steps.set(self.steps.get() + 1);
        let before = self.actor.replace(match step {
            Step::Go(actor) => Some(actor),
            Step::Time(_) => None,
        });
        if !matches!(step, Step::Go(Actor::Inbox(_) | Actor::Supervisor(_))) {
            self.has_settled.set(false);
        }
        let taken = match step {
            Step::Go(actor) => self.go(actor),
            Step::Time(time) => {
                self.note("time", time.to_datetime().timestamp_micros().unsigned_abs());
                self.now.set(time);
                let slots = self.slots.borrow();
                let processes: Vec<_> =
                    slots.iter().filter_map(|slot| slot.process.clone()).collect();
                drop(slots);
                for process in processes {
                    process.advance_to(time);
                }
                Ok(())
            }
        };
        self.actor.set(before);
        if let Err(panic) = taken {
            self.fail(format!("I21 {step:?}: {}", panic.message));
        }
    }

    /// Takes a step of an actor.
    fn go(&self, actor: Actor) -> Result<(), FailureDetails> {
        let of = |number: usize, step: &dyn Fn(&Process) -> Result<(), FailureDetails>| {
            self.with_process(number, step).unwrap_or(Ok(()))
        };
        match actor {
            Actor::Partition(number, index) => {
                self.note("turn", (number << 16 | index) as u64);
                let mail = self.manner.borrow().mail;
                of(number, &|process| process.turn(index, self.amount(|_| mail), preempt))
            }
            Actor::Commit(number) => {
                self.note("commit", number as u64);
                let amount = || self.amount(|generator| generator.below(4));
                of(number, &|process| process.commit(amount()))
            }
            Actor::Task(task) => {
                self.note("poll", task);
                self.executor.poll(task)
            }
            Actor::Inbox(number) => {
                self.note("receive", number as u64);
                of(number, &Process::receive)
            }
            Actor::Supervisor(number) => {
                self.note("supervise", number as u64);
                of(number, &Process::supervise)
            }
        }
    }

    /// Records the first failure.
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

    /// Adds an action of a turn to the log.
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

pub(super) fn current() -> Option<Rc<World>> {
    WORLD.with_borrow(Clone::clone)
}

/// Counts a store call. A step with very many calls is ended by a panic, because it might never
/// end.
pub(super) fn count_call() {
    let Some(world) = current() else { return };
    world.calls.set(world.calls.get() + 1);
    if world.calls.get() > 2 * CALLS_MAX {
        world.fail(format!("I19 one step makes {} store calls", world.calls.get()));
        panic!("it makes too many store calls");
    }
}

/// How the current call of the store fails, if it is to fail. A partition or a commit cannot
/// continue after a failed call.
pub(super) fn take_breakage() -> Option<Breakage> {
    let world = current()?;
    let breakage = world.breakage.take()?;
    mark!(breakage.panics, "fault: a call of the store panics");
    mark!(!breakage.panics, "fault: a call of the store fails");
    world.may_fail.set(true);
    if let Some(Actor::Partition(..) | Actor::Commit(_)) = world.actor.get() {
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
    // 0 means no actor. Half of the time, only a commit continues, because it takes several steps
    // until its write is durable.
    let who = world.choices.borrow_mut().decide(Stream::Preempt, 3, |generator| {
        if generator.below(one_in) == 0 { 1 + generator.below(2) } else { 0 }
    });
    if who == 0 || world.live().is_empty() {
        return;
    }
    mark!(who == 1, "fault: a commit overtakes a store call");
    mark!(who == 2, "fault: others run during a store call");
    mark!(world.depth.get() + 1 == DEPTH_MAX, "fault: .. as deep as may be");
    world.depth.set(world.depth.get() + 1);
    let most = world.choices.borrow_mut().one_of(Stream::Amount, &[1, 2, 4, 8, 24]);
    for _ in 0..most {
        let step = if who == 1 {
            let has_commit = world.with_process(present(), Process::has_commit);
            has_commit.unwrap_or(false).then_some(Step::Go(Actor::Commit(present())))
        } else {
            world.choose(false)
        };
        let Some(step) = step else { break };
        world.take(step);
    }
    world.depth.set(world.depth.get() - 1);
}

/// Whether the seed lets the thing with this name happen now.
pub(super) fn maybe(name: &'static str) -> bool {
    let Some(world) = current().filter(|world| !world.is_calm.get()) else { return false };
    let choices = &mut *world.choices.borrow_mut();
    // A quarter of the seeds let it happen, in a quarter of the cases.
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

/// A commit of partitions that were lost, which the store must refuse.
pub(super) fn refused_commit(committed: Result<(), StoreError>) -> Result<(), StoreError> {
    mark!("fault: a commit of a lost partition is refused");
    if let (false, Some(world)) = (matches!(committed, Err(StoreError::Fenced { .. })), current()) {
        world.fail(format!("I28 a commit under a lost epoch is not refused: {committed:?}"));
    }
    committed
}

/// How many messages and requests the current step receives.
pub(super) fn received_at_most() -> usize {
    current().map_or(usize::MAX, |world| world.amount(|generator| generator.below(4)))
}

/// Sleeps for this much of the world's time, counted from this call. Outside a simulation it
/// returns at once.
pub fn sleep(time: Duration) -> impl Future<Output = ()> + Send {
    let process = current().and_then(|world| world.process(present()));
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
