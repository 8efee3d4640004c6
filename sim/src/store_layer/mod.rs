//! Layer S: the real store over a simulated disk, against a store in memory.
//!
//! A seed draws commits, and decides at which call the process or the machine crashes, what the
//! crash leaves behind, which calls fail, and when the store's own actors take their steps.
//!
//! What must be true:
//! 1. Everything acknowledged is present after every restart. A commit that was not acknowledged is
//!    present either completely or not at all.
//! 2. Every read agrees with the model.
//! 3. If a resource is temporarily lacking, commits wait and do not fail.
//! 4. Any other error is reported, and the folder can be opened again afterwards.
//! 5. Nothing waits forever.

mod compare;
mod moved;
mod plan;
mod work;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use durable::protocol::PartitionId;
use durable::store::{Durability, MemoryStore, SledOptions, SledStore, Store, StoreError};
use durable::testing::sim::{Choices, DiskCounts, DiskFaults, Generator, SimDisk, Stream, marked};

use self::plan::Plan;
use self::work::{Author, Step};
use crate::parent::Note;
use crate::search::now;

/// The number of times that opening may fail before faults are switched off.
const TRIES: u32 = 6;

/// The folder of the hub.
const HUB: &str = "/hub";

struct Run {
    choices: Choices,
    plan: Plan,
    disk: SimDisk,
    /// All steps that the store may contain, in order.
    steps: Vec<Step>,
    /// The author before each of the steps.
    authors: Vec<Author>,
    author: Author,
    /// The number of steps that were acknowledged.
    acknowledged: usize,
    /// The number of steps that the store contained when it was last opened.
    opened: usize,
    /// The number of steps that the store certainly contains.
    least: usize,
    /// The steps that were acknowledged since the store was opened, and those before it.
    model: MemoryStore,
    restarts: u32,
    /// The counts of the disk when the store was opened.
    before: DiskCounts,
    log: Option<String>,
}

/// The result of a step, or of the use of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// The process has ended, or the store has failed.
    Ended,
    Done,
}

/// The result of a seed.
struct Outcome {
    counts: DiskCounts,
    trace: u64,
    steps: u64,
    restarts: u32,
    failure: Option<String>,
    log: String,
}

/// Runs the seeds that are for this layer, until the time is over. Returns whether any of them
/// failed.
pub(crate) fn search(seeds: Range<u64>, time: Option<Duration>, keeps_going: bool) -> bool {
    let began = now();
    let (mut count, mut steps, mut restarts, mut failed) = (0_u64, 0, 0, Vec::new());
    let mut all = DiskCounts::default();
    let mut note = Note::of_thread("store");
    for seed in seeds.filter(|seed| is_for_store(*seed)) {
        note.running(seed);
        if time.is_some_and(|time| began.elapsed() > time) {
            break;
        }
        let outcome = run(seed, false);
        count += 1;
        steps += outcome.steps;
        restarts += outcome.restarts;
        all.calls += outcome.counts.calls;
        all.lacked += outcome.counts.lacked;
        all.broken += outcome.counts.broken;
        all.power_losses += outcome.counts.power_losses;
        let failure = outcome.failure.clone().or_else(|| differs(seed, &outcome));
        if let Some(failure) = failure {
            println!("FAILED {failure}\n  seed {seed} of the store layer, {} steps", outcome.steps);
            println!("  again: cargo run --release -p sim -- --store-seed {seed}");
            failed.push(seed);
            if !keeps_going {
                break;
            }
        }
    }
    let DiskCounts { calls, lacked, broken, power_losses, .. } = all;
    println!(
        "store layer: {count} seeds, {steps} commits, {calls} calls of the disk, {restarts} restarts, \
         {power_losses} power failures, {lacked} calls without room or descriptors, {broken} I/O \
         errors, {} failed {failed:?}, {:.1} s",
        failed.len(),
        began.elapsed().as_secs_f64()
    );
    !failed.is_empty()
}

/// Repeats a seed, and prints the steps. Returns whether it failed.
pub(crate) fn repeat(seed: u64) -> bool {
    let outcome = run(seed, true);
    println!("{}", outcome.log);
    match &outcome.failure {
        Some(failure) => println!("FAILED {failure}\n  seed {seed} of the store layer"),
        None => println!("seed {seed} of the store layer: nothing is wrong"),
    }
    outcome.failure.is_some()
}

/// One seed in sixteen is for this layer.
fn is_for_store(seed: u64) -> bool {
    seed % 16 == 7
}

/// Runs some seeds a second time. The results must be the same.
fn differs(seed: u64, first: &Outcome) -> Option<String> {
    if seed % 128 != 7 {
        return None;
    }
    let second = run(seed, false);
    (first.trace != second.trace).then(|| "the same seed did two things".to_owned())
}

fn run(seed: u64, keeps_log: bool) -> Outcome {
    let mut run = Run::new(seed, keeps_log);
    // No other layer has a run of this number.
    let ended = marked(!seed, || catch_unwind(AssertUnwindSafe(|| run.all())));
    let failure = match ended {
        Ok(ended) => ended.err().or_else(|| run.disk.failure()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Some(run.disk.failure().unwrap_or(format!("I21 {}", text.unwrap_or_default())))
        }
    };
    let counts = run.disk.counts();
    let mut hasher = DefaultHasher::new();
    (format!("{counts:?}"), run.steps.len(), run.restarts).hash(&mut hasher);
    Outcome {
        counts,
        trace: hasher.finish(),
        steps: run.steps.len() as u64,
        restarts: run.restarts,
        failure,
        log: run.log.unwrap_or_default(),
    }
}

impl Run {
    fn new(seed: u64, keeps_log: bool) -> Self {
        let mut choices = Choices::new(seed);
        let plan = Plan::draw(&mut choices);
        let author = Author::new(&mut choices);
        // A generator of its own, because a failed call draws more numbers than a successful one.
        let mut of_disk = Generator::new(!seed);
        let disk = SimDisk::new(move |end| of_disk.below(end));
        disk.preempt(plan.preemption);
        Self {
            choices,
            plan,
            disk,
            steps: Vec::new(),
            authors: Vec::new(),
            author,
            acknowledged: 0,
            opened: 0,
            least: 0,
            model: MemoryStore::default(),
            restarts: 0,
            before: DiskCounts::default(),
            log: keeps_log.then(String::new),
        }
    }

    fn below(&mut self, stream: Stream, end: u32) -> u32 {
        self.choices.below(stream, end)
    }

    fn say(&mut self, line: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.push_str(&line());
            log.push('\n');
        }
    }

    fn options(&self) -> SledOptions {
        SledStore::options().durability(self.plan.durability).reserve_bytes(0)
    }

    fn open_at(&self, disk: &SimDisk, path: &str) -> Result<SledStore, StoreError> {
        let size = |wanted: &str, production| {
            let sizes = self.plan.sizes.iter();
            sizes.copied().find(|(name, _)| *name == wanted).map_or(production, |(_, size)| size)
        };
        disk.open_store(Path::new(path), self.options(), size)
    }

    fn all(&mut self) -> Result<(), String> {
        let lives = 1 + self.below(Stream::World, 5);
        for _ in 0..lives {
            self.disk.set_faults(self.plan.faults);
            if self.plan.crashes > 0 {
                let calls = u64::from(self.below(Stream::World, self.plan.crashes));
                self.disk.end_process_after(Some(calls));
            }
            let store = self.open()?;
            let left = self.use_store(&store)?;
            let is_well = left == Left::Done && self.counts().broken == self.before.broken;
            if is_well {
                // This use of the store ends with an orderly shutdown.
                self.disk.set_faults(DiskFaults::default());
                self.disk.end_process_after(None);
            }
            let is_closed = is_well && self.disk.is_running();
            drop(store);
            self.restart(is_closed);
        }
        self.disk.set_faults(DiskFaults::default());
        drop(self.open()?);
        self.restart(true);
        drop(self.open()?);
        if self.choices.one_in(Stream::World, 4) {
            self.restart(true);
            moved::run(self)?;
        }
        Ok(())
    }

    fn counts(&self) -> DiskCounts {
        self.disk.counts()
    }

    /// The process has ended, and perhaps the machine has lost its power.
    fn restart(&mut self, is_closed: bool) {
        let power_fails = self.choices.one_in(Stream::World, 2);
        self.restarts += 1;
        let is_lazy = matches!(self.plan.durability, Durability::Within(_));
        let may_lose = power_fails && is_lazy && !is_closed;
        self.least = if may_lose { self.opened } else { self.acknowledged };
        // Until the store is opened, no later failure brings anything back.
        self.acknowledged = self.least;
        let (least, steps) = (self.least, self.steps.len());
        self.say(|| format!("restart, power fails: {power_fails}, {least} to {steps} steps"));
        self.disk = self.disk.restart(power_fails);
        self.disk.preempt(self.plan.preemption);
    }

    /// Opens the store, and takes over its partitions.
    fn open(&mut self) -> Result<SledStore, String> {
        let mut tries = 0;
        loop {
            tries += 1;
            if tries > TRIES {
                self.disk.set_faults(DiskFaults::default());
                self.disk.end_process_after(None);
            }
            self.before = self.counts();
            match self.open_at(&self.disk, HUB) {
                Ok(store) => {
                    self.recognize(&store)?;
                    if self.take_over(&store)? {
                        return Ok(store);
                    }
                    drop(store);
                }
                Err(error) => {
                    let text = chain(&error);
                    self.say(|| format!("it does not open: {text}"));
                    let has_lacked = self.counts().lacked > self.before.lacked;
                    if is_damage(&error) || !(has_lacked || self.is_explained()) {
                        return Err(format!("I22 the store does not open: {text}"));
                    }
                }
            }
            self.restart(false);
        }
    }

    /// Finds out how many of the steps are in the store.
    fn recognize(&mut self, store: &SledStore) -> Result<(), String> {
        let model = MemoryStore::default();
        for step in &self.steps[..self.least] {
            step.apply(&model).map_err(|error| format!("the model refuses a step: {error}"))?;
        }
        let mut differences = String::new();
        for count in self.least..=self.steps.len() {
            if count > self.least {
                let applied = self.steps[count - 1].apply(&model);
                applied.map_err(|error| format!("the model refuses a step: {error}"))?;
            }
            let author = self.authors.get(count).unwrap_or(&self.author).clone();
            match compare::all(store, &model, &author, &mut self.choices) {
                Ok(()) => {
                    self.say(|| format!("opened with {count} steps"));
                    self.steps.truncate(count);
                    self.authors.truncate(count);
                    (self.author, self.model) = (author, model);
                    (self.acknowledged, self.opened, self.least) = (count, count, count);
                    return Ok(());
                }
                Err(difference) => {
                    differences.extend(["\n  ", &count.to_string(), ": ", &difference]);
                }
            }
        }
        Err(format!("I1 the store has none of the possible numbers of steps:{differences}"))
    }

    /// Reads the store as a hub does when it opens. Returns `false` if the store cannot be used.
    fn take_over(&mut self, store: &SledStore) -> Result<bool, String> {
        let hub = self.author.hub();
        if self.step(store, &Step::Create(hub))? == Left::Ended {
            return Ok(false);
        }
        for partition in self.author.all_partitions() {
            if self.claim(store, partition)? == Left::Ended {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Claims a partition. Earlier claims are visible only in the epoch.
    fn claim(&mut self, store: &SledStore, partition: PartitionId) -> Result<Left, String> {
        let before = self.author.clone();
        let step = self.author.claim(partition);
        let wanted = self.author.epoch(partition);
        self.begin(before, step.clone());
        match store.claim(partition) {
            Ok(found) => {
                self.acknowledge(&step)?;
                // An earlier claim may have been cut off after it took effect.
                for _ in wanted.0..found.0.min(wanted.0 + 20) {
                    let before = self.author.clone();
                    let step = self.author.claim(partition);
                    self.begin(before, step.clone());
                    self.acknowledge(&step)?;
                }
                if self.author.epoch(partition) == found {
                    return Ok(Left::Done);
                }
                Err(format!("I1 {partition} was claimed as {found:?} in the place of {wanted:?}"))
            }
            Err(error) => self.refused(&error),
        }
    }

    fn begin(&mut self, before: Author, step: Step) {
        self.authors.push(before);
        self.steps.push(step);
    }

    fn acknowledge(&mut self, step: &Step) -> Result<(), String> {
        self.acknowledged = self.steps.len();
        step.apply(&self.model).map_err(|error| format!("the model refuses a step: {error}"))
    }

    fn step(&mut self, store: &SledStore, step: &Step) -> Result<Left, String> {
        let before = self.author.clone();
        self.step_after(store, step, before)
    }

    fn step_after(
        &mut self,
        store: &SledStore,
        step: &Step,
        before: Author,
    ) -> Result<Left, String> {
        self.begin(before, step.clone());
        match step.apply(store) {
            Ok(()) => {
                self.acknowledge(step)?;
                Ok(Left::Done)
            }
            Err(error) => self.refused(&error),
        }
    }

    /// Whether a crash or a planned fault explains an error.
    fn is_explained(&self) -> bool {
        !self.disk.is_running() || self.counts().broken > self.before.broken
    }

    /// Handles a step that was refused. The step may or may not have taken effect.
    fn refused(&mut self, error: &StoreError) -> Result<Left, String> {
        let text = chain(error);
        self.say(|| format!("refused: {text}"));
        if is_damage(error) || error.is_transient() || !self.is_explained() {
            return Err(format!("I22 a commit is refused: {text}"));
        }
        Ok(Left::Ended)
    }

    fn use_store(&mut self, store: &SledStore) -> Result<Left, String> {
        for _ in 0..self.below(Stream::World, 40) {
            let left = match self.below(Stream::Client(0), 30) {
                0 => {
                    let partition =
                        self.below(Stream::Client(0), u32::from(self.author.partitions));
                    let partition = PartitionId(u16::try_from(partition).unwrap_or(0));
                    self.claim(store, partition)?
                }
                1 => self.hand_over(store)?,
                2 => {
                    let read = compare::all(store, &self.model, &self.author, &mut self.choices);
                    read.map_err(|wrong| format!("I13 {wrong}"))?;
                    Left::Done
                }
                _ => {
                    let before = self.author.clone();
                    let step = self.author.commit(&mut self.choices);
                    self.step_after(store, &step, before)?
                }
            };
            if left == Left::Ended {
                return Ok(left);
            }
            let read = compare::some(store, &self.model, &self.author, &mut self.choices);
            read.map_err(|wrong| format!("I13 {wrong}"))?;
        }
        Ok(Left::Done)
    }

    /// Shuts a hub down, and opens the next one on the same store. In between, a commit fails if a
    /// resource is lacking; afterwards it waits again.
    fn hand_over(&mut self, store: &SledStore) -> Result<Left, String> {
        self.say(|| "hand over".to_owned());
        store.give_up();
        let before = self.author.clone();
        let step = self.author.commit(&mut self.choices);
        match step.apply(store) {
            Ok(()) => {
                self.begin(before, step.clone());
                self.acknowledge(&step)?;
            }
            Err(error) if error.is_transient() => self.author = before,
            Err(error) => {
                self.begin(before, step);
                return self.refused(&error);
            }
        }
        let hub = self.author.hub();
        self.step(store, &Step::Create(hub))
    }
}

fn is_damage(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Damaged { .. }
            | StoreError::LogDamaged { .. }
            | StoreError::UnknownFormat { .. }
    )
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let texts: Vec<_> =
        [error.to_string()].into_iter().chain(causes.map(ToString::to_string)).collect();
    texts.join(": ")
}
