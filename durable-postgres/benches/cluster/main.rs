//! What it costs to share a hub, and how long it takes when a process dies or joins.
//!
//! ```text
//! cargo bench -p durable-postgres --bench cluster
//! cargo bench -p durable-postgres --bench cluster -- failover --runs 20
//! ```
//! It starts a server of its own from the binaries that are installed, and itself as the workers.

mod failover;
mod idle;
mod moves;
mod scale;
#[path = "../../tests/cluster/mod.rs"]
mod server;
mod workers;

use std::time::Duration;

use clap::{Parser, Subcommand};
use durable::Result;

use self::server::Cluster;

/// Measures a hub of several processes.
#[derive(Parser)]
struct Arguments {
    /// What to measure: `failover`, `moves`, `idle`, `scale`; by default all.
    groups: Vec<String>,
    /// How often a process is killed, or joins.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Works until the standard input ends. This is how the program starts its workers.
    #[command(hide = true)]
    Work { url: String, name: String },
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { groups, runs, command, .. } = Arguments::parse();
    if let Some(Command::Work { url, name }) = command {
        return workers::work(&url, &name).await;
    }
    let all = ["failover", "moves", "idle", "scale"].map(str::to_owned);
    for group in if groups.is_empty() { &all[..] } else { &groups } {
        let cluster = Cluster::start();
        match group.as_str() {
            "failover" => failover::run(&cluster, runs).await?,
            "moves" => moves::run(&cluster, runs).await?,
            "idle" => idle::run(&cluster).await?,
            "scale" => scale::run(&cluster).await?,
            other => println!("there is no group `{other}`"),
        }
    }
    Ok(())
}

/// Prints the median, a high percentile and the maximum of some times.
fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| times.get((times.len() * part / 100).min(times.len().saturating_sub(1)));
    let ms = |time: Option<&Duration>| time.copied().unwrap_or_default().as_secs_f64() * 1000.0;
    let (median, high, most) = (ms(at(50)), ms(at(99)), ms(times.last()));
    println!("{what}: p50 {median:.0} ms, p99 {high:.0} ms, max {most:.0} ms of {}", times.len());
}
