//! The simulator: one seed runs the whole hub on one thread, and rules are checked after every
//! commit.
//!
//! ```text
//! cargo run --release -p sim -- --seed 17          # repeats one seed, with its trace if it fails
//! cargo run --release -p sim -- --seeds 0..1000
//! cargo run --release -p sim -- --minutes 10
//! ```

mod client;
mod interpret;
mod program;
mod rules;
mod run;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use self::run::{Outcome, run};

/// One seed in this many runs twice, and must do the same.
const TWICE: u64 = 16;

/// Runs a hub under seeds.
#[derive(Debug, Parser)]
struct Args {
    /// Runs one seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Runs a range of seeds, as `0..1000`.
    #[arg(long, value_parser = range)]
    seeds: Option<(u64, u64)>,
    /// Runs seeds for this long.
    #[arg(long)]
    minutes: Option<f64>,
    /// Prints what was done, even if nothing is wrong.
    #[arg(long)]
    trace: bool,
    /// Goes on after a failure.
    #[arg(long)]
    keep_going: bool,
}

fn range(text: &str) -> Result<(u64, u64), String> {
    let parsed =
        text.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    parsed.ok_or_else(|| format!("`{text}` is not a range as `0..1000`"))
}

#[derive(Default)]
struct Sum {
    seeds: u64,
    steps: u64,
    operations: u64,
    episodes: u64,
    crashes: u64,
    failed: Vec<u64>,
}

#[expect(clippy::disallowed_methods, reason = "it measures how fast the simulator is")]
fn main() -> ExitCode {
    let args = Args::parse();
    std::panic::set_hook(Box::new(|_| {}));
    let (from, to) = match (args.seed, args.seeds) {
        (Some(seed), _) => (seed, seed.saturating_add(1)),
        (None, Some(seeds)) => seeds,
        (None, None) => (0, if args.minutes.is_some() { u64::MAX } else { 1000 }),
    };
    let limit = args.minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0));
    let (began, mut sum) = (Instant::now(), Sum::default());
    for seed in from..to {
        if limit.is_some_and(|limit| began.elapsed() > limit) {
            break;
        }
        let outcome = run(seed, args.trace);
        if args.trace {
            println!("{}", outcome.log);
        }
        let failure = outcome.failure.clone().or_else(|| differs(seed, &outcome));
        sum.add(&outcome);
        if let Some(failure) = failure {
            sum.failed.push(seed);
            println!(
                "FAILED {failure}\n  seed {seed}, {} steps, {} crashes",
                outcome.steps, outcome.crashes
            );
            println!("  again: cargo run --release -p sim -- --seed {seed}");
            if args.seed.is_some() && !args.trace {
                println!("{}", run(seed, true).log);
            }
            if !args.keep_going {
                break;
            }
        }
    }
    sum.print(began.elapsed());
    if sum.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs some seeds a second time: the same seed does the same.
fn differs(seed: u64, first: &Outcome) -> Option<String> {
    if !seed.is_multiple_of(TWICE) {
        return None;
    }
    let second = run(seed, false);
    (first.trace != second.trace || first.steps != second.steps)
        .then(|| format!("the same seed did two things: {first:?} and {second:?}"))
}

impl Sum {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.steps += outcome.steps;
        self.operations += outcome.operations;
        self.episodes += outcome.episodes;
        self.crashes += u64::from(outcome.crashes);
    }

    #[expect(clippy::cast_precision_loss, reason = "it is printed in whole numbers")]
    fn print(&self, time: Duration) {
        let Self { seeds, steps, operations, episodes, crashes, failed } = self;
        let per_second = *steps as f64 / time.as_secs_f64();
        println!(
            "{seeds} seeds, {steps} steps ({per_second:.0}/s), {operations} operations of clients, \
             {episodes} episodes, {crashes} crashes, {} failed {failed:?}",
            failed.len()
        );
    }
}
