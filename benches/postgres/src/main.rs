//! The store on PostgreSQL beside other engines on the same database.
//!
//! ```text
//! cargo run --release --manifest-path benches/postgres/Cargo.toml
//! cargo run --release --manifest-path benches/postgres/Cargo.toml -- --quick hello step
//! cargo run --release --manifest-path benches/postgres/Cargo.toml -- --delay 1 hello
//! DATABASE_URL=postgres://.. cargo run --release --manifest-path benches/postgres/Cargo.toml
//! ```
//!
//! Without `DATABASE_URL` it starts a server of its own from the binaries that are installed, with the
//! settings of a new cluster.

#[path = "../../src/clock.rs"]
mod clock;
mod cluster;
mod dbos_peer;
mod delay;
mod duroxide_peer;
#[path = "../../src/load.rs"]
mod load;
mod ours;
mod report;
mod snapshot;
#[path = "../../src/stats.rs"]
#[allow(dead_code, reason = "shared with the other benchmarks")]
mod stats;
mod step;

use std::time::Duration;

use clap::Parser;
use durable::Result;

use self::load::Window;
use self::report::Report;

/// Measures the store on PostgreSQL beside other engines on the same database.
#[derive(Parser)]
struct Arguments {
    /// What to measure: `hello`, `step` or `snapshot`; by default the first two.
    groups: Vec<String>,
    /// Few and short rounds.
    #[arg(long)]
    quick: bool,
    /// How many rounds; each engine runs once in each.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// How many orchestrations are outstanding.
    #[arg(long, default_value_t = 256)]
    outstanding: usize,
    /// The partitions of the hub; by default as many as a new hub on this store has.
    #[arg(long)]
    partitions: Option<u16>,
    /// A round trip that is added to that of the server, in milliseconds.
    #[arg(long)]
    delay: Option<f64>,
    /// For how many minutes there is load while a snapshot is open. It takes twice as long.
    #[arg(long, default_value_t = 3.0)]
    minutes: f64,
    /// Only `durable`, for a profiler.
    #[arg(long)]
    alone: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let own = match std::env::var("DATABASE_URL") {
        Ok(url) => Err(url),
        Err(_) => Ok(cluster::Cluster::start()?),
    };
    let url = own.as_ref().map_or_else(Clone::clone, |cluster| cluster.url());
    let url = match arguments.delay {
        Some(ms) => delay::proxy(&url, Duration::from_secs_f64(ms / 1e3))?,
        None => url,
    };
    let mut report = Report::default();
    let all = [String::from("hello"), String::from("step")];
    let groups = if arguments.groups.is_empty() { &all[..] } else { &arguments.groups };
    for group in groups {
        match group.as_str() {
            "hello" => hello(&arguments, &url, &mut report).await?,
            "step" => step::run(&url, &arguments, &mut report).await?,
            "snapshot" => snapshot::run(&url, &arguments).await?,
            other => println!("there is no group `{other}`"),
        }
    }
    report.print();
    Ok(())
}

/// `hello/N`: sequences of three activities, N of them outstanding.
async fn hello(arguments: &Arguments, url: &str, report: &mut Report) -> Result<()> {
    let outstanding = arguments.outstanding;
    let name = format!("hello/{outstanding}");
    let counted = Duration::from_secs(if arguments.quick { 3 } else { 10 });
    let window = Window { warm_up: counted / 4, counted };
    for round in 0..arguments.runs {
        eprintln!("{name}: round {} of {}", round + 1, arguments.runs);
        report.add(&name, "durable", ours::hello(url, arguments.partitions, outstanding, window).await?);
        if arguments.alone {
            continue;
        }
        report.add(&name, "dbos", dbos_peer::hello(url, outstanding, window).await?);
        report.add(&name, "duroxide-pg", duroxide_peer::hello(url, outstanding, window).await?);
    }
    Ok(())
}
