//! The benchmarks: every workload on `durable`, duroxide and the raw limit, alternating.
//!
//! ```text
//! cargo run --release -p benches                          # all: a table, and a plot in the docs
//! cargo run --release -p benches -- hello fan-out         # some groups
//! cargo run --release -p benches -- --json --quick step   # for scripts: one JSON object a line
//! cargo run --release -p benches -- --steady 10           # ten minutes of steady load
//! ```
//! `durable/docs/performance.md` says what each workload is and how the comparison is kept fair.
//!
//! Read next: `workloads/mod.rs` (the workloads), `recorder.rs` and `raw.rs` (the raw limit),
//! `ours.rs` and `peer/mod.rs` (the engines), `report/mod.rs` (the results).

// Counts and sizes are far below 2^52 here.
#![allow(clippy::cast_precision_loss)]

mod child;
mod clock;
#[path = "../../tests/support/delegate.rs"]
mod delegate;
mod load;
mod ours;
mod peer;
mod plan;
mod raw;
mod recorder;
mod report;
mod stats;
mod steady;
mod system;
mod workloads;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use durable::{Error, Result};

use crate::child::Role;
use crate::plan::Plan;
use crate::report::{Report, draw, table};
use crate::workloads::Group;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs workloads on `durable`, duroxide and the raw limit, alternating.
#[derive(Debug, Parser)]
struct Arguments {
    /// The groups to run; all by default.
    groups: Vec<Group>,
    /// Prints JSON lines instead of a table and a plot.
    #[arg(long)]
    json: bool,
    /// Finishes each group within 15 seconds: fewer runs, smaller counts.
    #[arg(long)]
    quick: bool,
    /// The maximum number of runs per engine; 5, or 9 in a quick run if there is time.
    #[arg(long)]
    runs: Option<usize>,
    /// The folder for the hubs, on the disk that you want to measure.
    #[arg(long, default_value = "target/bench-hubs")]
    dir: PathBuf,
    /// Where the plot is written; by default `durable/docs/performance.svg`, if there is a
    /// `durable/docs`.
    #[arg(long)]
    plot: Option<PathBuf>,
    /// Runs only a steady load, for this many minutes.
    #[arg(long, value_name = "MINUTES", num_args = 0..=1, default_missing_value = "10")]
    steady: Option<f64>,
    /// The role of a child process.
    #[arg(long, hide = true)]
    child: Option<Role>,
    /// The number of instances of a child process.
    #[arg(long, hide = true, default_value_t = 0)]
    count: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    // duroxide would log to the standard output, among the figures, and slow down all engines.
    tracing::subscriber::set_global_default(tracing::subscriber::NoSubscriber::new())?;
    let arguments = Arguments::parse();
    if let Some(role) = arguments.child {
        return child::act(role, &arguments.dir, arguments.count).await;
    }
    let plan = Plan::new(&arguments.dir, arguments.quick, arguments.runs)?;
    if system::is_in_memory(&plan.folder) {
        eprintln!("{}: this is memory, where nothing is synced", plan.folder.display());
    }
    match arguments.steady {
        Some(minutes) => steady::run(&plan, minutes).await,
        None => run(&arguments, &plan).await,
    }
}

async fn run(arguments: &Arguments, plan: &Plan) -> Result<()> {
    let groups = match arguments.groups.as_slice() {
        [] => Group::value_variants(),
        some => some,
    };
    let machine = system::machine(&plan.folder);
    if !arguments.json {
        println!("{machine}");
    }
    let mut lines = Vec::new();
    for group in groups {
        let mut report = Report::default();
        group.run(plan, &mut report).await?;
        let found = report.lines();
        if arguments.json {
            for line in &found {
                println!("{}", serde_json::to_string(line)?);
            }
        } else if !found.is_empty() {
            println!("\n{}", table(&found));
        }
        lines.extend(found);
    }
    if arguments.json { Ok(()) } else { plot(arguments, &lines, &machine) }
}

fn plot(arguments: &Arguments, lines: &[report::Line], machine: &str) -> Result<()> {
    let default = || {
        let docs = PathBuf::from("durable/docs");
        docs.is_dir().then(|| docs.join("performance.svg"))
    };
    let Some(file) = arguments.plot.clone().or_else(default) else { return Ok(()) };
    draw(lines, machine, &file)
        .map_err(|error| Error::msg(format!("{}: {error}", file.display())))?;
    eprintln!("the plot is in {}", file.display());
    Ok(())
}
