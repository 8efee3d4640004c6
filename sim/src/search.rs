//! Runs many seeds on several threads, and summarizes the results.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use durable::testing::sim::Choices;

use crate::case::Case;
use crate::clock_layer;
use crate::faulty::Fault;
use crate::parent::Note;
use crate::run::{Outcome, run};

/// One seed in this many runs twice and is also repeated from its choices; all results must be the
/// same.
const TWICE: u64 = 16;

/// Some programs are deeply nested, and the unused part of a stack costs no memory.
const STACK: usize = 256 << 20;

/// Which seeds to run, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) limit: Option<Duration>,
    pub(crate) threads: usize,
    pub(crate) keeps_going: bool,
    /// A fault that is planted in the store.
    pub(crate) fault: Option<Fault>,
    /// The number of processes that share a hub, in place of the number that a seed draws.
    pub(crate) nodes: Option<usize>,
}

/// The result of all seeds.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    pub(crate) seeds: u64,
    pub(crate) steps: u64,
    operations: u64,
    episodes: u64,
    crashes: u64,
    in_rules: Duration,
    /// The failing cases, with their failures.
    pub(crate) failed: BTreeMap<u64, (Case, String)>,
}

/// Calls the function on a thread whose stack is large enough for every program.
pub(crate) fn on_large_stack<T: Send>(call: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, call);
        thread.expect("a thread").join().expect("no panic")
    })
}

/// Runs a seed, and returns its case.
pub(crate) fn run_seed(
    seed: u64,
    fault: Option<Fault>,
    nodes: Option<usize>,
    keeps_log: bool,
) -> (Case, Outcome) {
    let mut choices = Choices::new(seed);
    let case = Case { fault, ..Case::draw(&mut choices, nodes) };
    let mut outcome = run(&case, choices, keeps_log);
    outcome.failure = outcome.failure.or_else(|| clock_layer::run(seed).err());
    (case, outcome)
}

impl Search {
    pub(crate) fn run(self) -> Sum {
        let (sum, next) = (Mutex::new(Sum::default()), AtomicU64::new(self.from));
        let ends = AtomicBool::new(false);
        let began = now();
        let work = &|thread: usize| {
            let mut note = Note::of_thread(&thread.to_string());
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                let is_late = self.limit.is_some_and(|limit| began.elapsed() > limit);
                if seed >= self.to || is_late || ends.load(Ordering::Relaxed) {
                    return;
                }
                note.running(seed);
                let ran = catch_unwind(AssertUnwindSafe(|| {
                    run_seed(seed, self.fault, self.nodes, false)
                }));
                let Ok((case, outcome)) = ran else {
                    // The state after a panic is unknown, so no further seeds are run.
                    println!("FAILED I21 a panic leaves the hub\n  seed {seed}");
                    std::process::exit(1);
                };
                let failure = outcome.failure.clone().or_else(|| differs(&case, &outcome));
                let mut sum = locked(&sum);
                sum.add(&outcome);
                if let Some(failure) = failure {
                    let case = Case { deviations: outcome.deviations, ..case };
                    sum.failed.insert(seed, (case, failure));
                    ends.store(!self.keeps_going, Ordering::Relaxed);
                }
            }
        };
        std::thread::scope(|scope| {
            for number in 0..self.threads {
                let thread = std::thread::Builder::new().stack_size(STACK);
                thread.spawn_scoped(scope, move || work(number)).expect("a thread");
            }
        });
        sum.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs some seeds a second time, and also repeats them from their choices. The results must be the
/// same.
fn differs(case: &Case, first: &Outcome) -> Option<String> {
    if !case.seed.is_multiple_of(TWICE) {
        return None;
    }
    let repeated = Case { deviations: first.deviations.clone(), ..case.clone() };
    let (_, again) = run_seed(case.seed, case.fault, Some(case.options.nodes), false);
    let repeated = run(&repeated, repeated.choices(), false);
    for (second, how) in [(again, "the same seed"), (repeated, "a repetition of its choices")] {
        if (first.trace, first.steps) != (second.trace, second.steps) {
            let (one, two) = (first.steps, second.steps);
            return Some(format!("D1 {how} does something else: {one} and {two} steps"));
        }
    }
    None
}

impl Sum {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.steps += outcome.steps;
        self.operations += outcome.operations;
        self.episodes += outcome.episodes;
        self.crashes += u64::from(outcome.crashes);
        self.in_rules += outcome.in_rules;
    }

    /// A summary in one line: how much this many threads did in this time.
    #[expect(clippy::cast_precision_loss, reason = "it is printed in whole numbers")]
    pub(crate) fn line(&self, time: Duration, threads: usize) -> String {
        let Self { seeds, steps, operations, episodes, crashes, in_rules, failed } = self;
        let per_second = |count: u64| count as f64 / time.as_secs_f64();
        let rules = 100.0 * in_rules.as_secs_f64() / (time.as_secs_f64() * threads as f64);
        let failed: Vec<_> = failed.keys().collect();
        format!(
            "{seeds} seeds ({:.0}/s), {steps} steps ({:.0}/s; {rules:.0} % of the time in rules), \
             {operations} operations of clients, {episodes} episodes, {crashes} crashes, {} failed \
             {failed:?}",
            per_second(*seeds),
            per_second(*steps),
            failed.len()
        )
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::disallowed_methods, reason = "it measures how fast the simulator is")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
