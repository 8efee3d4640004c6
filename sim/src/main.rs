//! The simulator: one seed runs the whole hub on one thread, and rules are checked after every
//! commit.
//!
//! ```text
//! cargo run --release -p sim -- --seed 17          # repeats one seed
//! cargo run --release -p sim -- --seeds 0..1000
//! cargo run --release -p sim -- --minutes 10
//! cargo run --release -p sim -- --nodes 2 --seeds 0..1000 # two processes share each hub
//! cargo run --release -p sim -- --case FILE        # repeats a case that a failing run has left
//! cargo run --release -p sim -- --bench
//! cargo run --release -p sim -- --store --seeds 0..1000   # the store on a simulated disk only
//! ```
//!
//! Read next: `case.rs` (what a seed draws), `run.rs` (what a run does), `rules.rs` (what must be
//! true), `search.rs` and `shrink.rs` (from many seeds to a small case).

mod case;
mod client;
mod clock_layer;
mod failure;
mod faulty;
mod interpret;
mod met;
mod nodes;
mod parent;
mod pretty;
mod program;
mod report;
mod rules;
mod run;
mod search;
mod shrink;
mod store_layer;
mod trace;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use durable::testing::sim::Choices;

use self::case::Case;
use self::faulty::Fault;
use self::met::Unmet;
use self::report::{Report, table};
use self::run::run;
use self::search::{Search, Sum, now, on_large_stack, run_seed};
use self::shrink::Shrinker;

/// The folder for the cases of failing runs.
const FAILED: &str = "target/sim";

/// The maximum number of failing seeds that are made smaller.
const SHRUNK_MAX: usize = 3;

/// The maximum number of further ranges of seeds that are run to reach marks that the first one
/// missed.
const FURTHER: u32 = 9;

/// Runs a simulated hub for each of many seeds.
#[derive(Clone, Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
struct Args {
    /// Runs one seed.
    #[arg(long, conflicts_with_all = ["seeds", "minutes", "case"])]
    seed: Option<u64>,
    /// Runs a range of seeds, as `0..1000`.
    #[arg(long, value_parser = range, conflicts_with = "case")]
    seeds: Option<(u64, u64)>,
    /// Runs seeds for this long, on all cores.
    #[arg(long, conflicts_with = "case")]
    minutes: Option<f64>,
    /// Repeats cases from files.
    #[arg(long, num_args = 1..)]
    case: Vec<PathBuf>,
    /// Measures how many steps and seeds per second one core runs.
    #[arg(long)]
    bench: bool,
    /// Plants a fault in the store, which a rule must detect.
    #[arg(long, value_enum)]
    fault: Option<Fault>,
    /// The number of processes that share the hub, regardless of the seed.
    #[arg(long)]
    nodes: Option<usize>,
    /// The number of threads; all cores by default.
    #[arg(long)]
    threads: Option<usize>,
    /// Repeats one seed of the store layer: the store in a folder, on a simulated disk.
    #[arg(long, conflicts_with_all = ["seed", "seeds", "minutes", "case"])]
    store_seed: Option<u64>,
    /// Runs the store layer only.
    #[arg(long)]
    store: bool,
    /// Prints the steps, even if the run does not fail.
    #[arg(long)]
    trace: bool,
    /// Continues after a failure.
    #[arg(long)]
    keep_going: bool,
    /// Prints which marks were reached, and fails if the marks that were not reached differ from
    /// the list in this file.
    #[arg(long, requires = "seeds")]
    unmet: Option<PathBuf>,
    /// Does not make failing cases smaller.
    #[arg(long)]
    no_shrink: bool,
}

fn range(text: &str) -> Result<(u64, u64), String> {
    let parsed =
        text.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    parsed.ok_or_else(|| format!("`{text}` is not a range as `0..1000`"))
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.case.is_empty() && args.seed.is_none() && !parent::is_child() {
        return parent::watch();
    }
    // A panic is a failure of the run, which is printed with its case.
    std::panic::set_hook(Box::new(|_| {}));
    let has_failed = if let Some(seed) = args.store_seed {
        store_layer::repeat(seed)
    } else if args.case.is_empty() {
        let of_hub = !args.store && on_large_stack(|| seeds(&args));
        of_hub | store_seeds(&args) | is_unmet(&args)
    } else {
        on_large_stack(|| args.case.iter().any(|path| !repeats(path, args.trace)))
    };
    if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Runs the seeds of the store layer: those of a range, or as many as the time allows.
fn store_seeds(args: &Args) -> bool {
    if args.bench || args.fault.is_some() || args.seed.is_some() {
        return false;
    }
    // An eighth of the time, if there are other seeds.
    let share = if args.store { 60.0 } else { 60.0 / 8.0 };
    let time = args.minutes.map(|minutes| Duration::from_secs_f64(minutes * share));
    let (from, to) = args.seeds.unwrap_or((0, if time.is_some() { u64::MAX } else { 1000 }));
    store_layer::search(from..to, time, args.keep_going)
}

/// Repeats a case. Returns whether it succeeds.
fn repeats(path: &Path, shows_trace: bool) -> bool {
    let case = match Case::read(path) {
        Ok(case) => case,
        Err(error) => {
            println!("FAILED {error}");
            return false;
        }
    };
    let outcome = run(&case, case.choices(), true);
    if outcome.failure.is_some() || shows_trace {
        println!("{}", table(&outcome.log));
    }
    match &outcome.failure {
        Some(failure) => println!("FAILED {failure}\n  case {}", path.display()),
        None => println!("{}: {} steps, nothing is wrong", path.display(), outcome.steps),
    }
    outcome.failure.is_none()
}

/// Runs seeds. Returns whether any of them failed.
#[expect(clippy::cast_precision_loss, reason = "it is printed with one digit")]
fn seeds(args: &Args) -> bool {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (from, to) = match (args.seed, args.seeds) {
        (Some(seed), _) => (seed, seed.saturating_add(1)),
        (None, Some(seeds)) => seeds,
        (None, None) => (0, if args.minutes.is_some() || args.bench { u64::MAX } else { 1000 }),
    };
    let minutes = args.minutes.or(args.bench.then_some(1.0 / 6.0));
    let search = Search {
        from,
        to,
        limit: minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0)),
        threads: args.threads.unwrap_or(if args.bench { 1 } else { cores }),
        keeps_going: args.keep_going,
        fault: args.fault,
        nodes: args.nodes,
    };
    if args.trace
        && let Some(seed) = args.seed
    {
        println!("{}", table(&run_seed(seed, args.fault, args.nodes, true).1.log));
    }
    let began = now();
    let sum = search.run();
    let time = began.elapsed();
    if !sum.failed.is_empty() {
        let core_seconds = time.as_secs_f64() * search.threads as f64;
        println!("searched for {core_seconds:.1} s of a core");
    }
    report_failures(&sum, args.no_shrink);
    println!("{}", sum.line(time, search.threads));
    !sum.failed.is_empty()
}

/// Prints which marks both layers have reached. Returns whether the marks that were not reached
/// differ from the list in the file, or whether a further seed fails.
///
/// A thousand seeds can miss what one seed in a thousand reaches. So as long as a mark is missing,
/// further seeds are run.
fn is_unmet(args: &Args) -> bool {
    let (Some(path), Some((from, to))) = (&args.unmet, args.seeds) else { return false };
    let unmet = match Unmet::read(path) {
        Ok(unmet) => unmet,
        Err(error) => {
            println!("FAILED {error}");
            return true;
        }
    };
    let count = to.saturating_sub(from);
    let (mut next, mut has_failed) = (to, false);
    for _ in 0..FURTHER {
        let missing = unmet.missing();
        if missing.is_empty() || has_failed {
            break;
        }
        println!("before seed {next}, nothing met: {}", missing.join("; "));
        let further = Args { seeds: Some((next, next + count)), ..args.clone() };
        has_failed = on_large_stack(|| seeds(&further)) | store_seeds(&further);
        next += count;
    }
    let wrong = unmet.compare();
    println!("{}", met::table());
    for wrong in &wrong {
        println!("FAILED {wrong}");
    }
    has_failed || !wrong.is_empty()
}

fn report_failures(sum: &Sum, stays_large: bool) {
    for (number, (seed, (case, failure))) in sum.failed.iter().enumerate() {
        let path = Path::new(FAILED).join(format!("{seed}.json"));
        if stays_large || number >= SHRUNK_MAX {
            write(case, failure, &path);
            println!("FAILED {failure}\n  seed {seed}, case {}", path.display());
            continue;
        }
        let began = now();
        let mut shrinker = Shrinker::new(case.clone(), failure.clone(), attempt);
        shrinker.shrink();
        write(&shrinker.case, &shrinker.failure, &path);
        let (case, failure, runs) = (&shrinker.case, &shrinker.failure, shrinker.runs);
        let time = began.elapsed();
        println!("{}", Report { failure, seed: *seed, case, path: &path, runs, time });
        for (kind, (failure, case)) in &shrinker.others {
            let path = Path::new(FAILED).join(format!("{seed}-{}.json", kind.rule()));
            write(case, failure, &path);
            println!("  another failure on the way: {failure}\n    {}", path.display());
        }
    }
}

/// Runs a case. If it fails, returns it with its schedule.
fn attempt(case: &Case, choices: Choices) -> Option<(String, Case)> {
    let seed = choices.seed();
    let outcome = run(case, choices, false);
    let failure = outcome.failure?;
    Some((failure, Case { seed, deviations: outcome.deviations, ..case.clone() }))
}

fn write(case: &Case, failure: &str, path: &Path) {
    let case = Case { shows: failure.to_owned(), ..case.clone() };
    if let Err(error) = case.write(path) {
        println!("{error}");
    }
}
