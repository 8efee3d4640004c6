//! Several processes on one hub: some are killed, others join, and every cent is accounted for.
//!
//! ```text
//! cargo run --release -p durable-postgres --example cluster
//! cargo run --release -p durable-postgres --example cluster -- --url postgres://app@localhost/app
//! ```
//! The program starts itself several times, as workers, over one database: the one of `--url`, or a
//! server of its own from the binaries that are installed. It only gives them work, as a client of
//! the hub, and prints the owners of the partitions whenever they change. Each column is a
//! partition, and the digit in it is the worker that owns it.

mod bank;
mod map;
#[path = "../../tests/cluster/mod.rs"]
mod server;
mod workers;

use std::time::Duration;

use clap::{Parser, Subcommand};
use durable::client::{EntityQuery, InstanceQuery};
use durable::prelude::*;
use durable::protocol::RuntimeStatus;
use tokio::time::{Instant, interval};

use self::bank::{Account, Statistics, TRANSFERS, office};
use self::map::Map;
use self::workers::{Act, Workers};

/// Runs a bank in several processes, and harms them.
#[derive(Parser)]
struct Arguments {
    /// The database; by default a server of its own.
    #[arg(long, global = true)]
    url: Option<String>,
    /// How long the workers are harmed.
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Works until the standard input ends. This is how the program starts its workers.
    Work { name: String },
}

/// What happens when, as a part of the time.
const PLAN: [(f64, Act); 8] = [
    (0.0, Act::Start(1)),
    (0.1, Act::Start(2)),
    (0.1, Act::Start(3)),
    (0.35, Act::Kill(2)),
    (0.5, Act::Start(4)),
    (0.65, Act::Kill(1)),
    (0.65, Act::Start(5)),
    (0.85, Act::Leave(3)),
];

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { url, seconds, command } = Arguments::parse();
    let own = if url.is_none() { Some(server::Cluster::start()) } else { None };
    let url = url.or(own.as_ref().map(server::Cluster::url)).unwrap_or_default();
    match command {
        Some(Command::Work { name }) => workers::work(&url, &name).await,
        None => run(&url, Duration::from_secs_f64(seconds)).await,
    }
}

async fn run(url: &str, time: Duration) -> Result<()> {
    let hub = workers::open(url, None).await?;
    let (mut map, mut workers) = (Map::new(&hub), Workers::new(url));
    let (begun, mut looks, mut plan) = (Instant::now(), interval(LOOK), PLAN.iter().peekable());
    // An earlier run on this database may have opened some.
    let first = hub.count(&InstanceQuery::new().of::<office>()).await?;
    let mut starts = Vec::new();
    while begun.elapsed() < time {
        looks.tick().await;
        let is_due = |(at, _): &&(f64, Act)| begun.elapsed() >= time.mul_f64(*at);
        while let Some((_, act)) = plan.next_if(is_due) {
            map.tell(&workers.carry_out(*act).await?).await?;
        }
        let opened = u32::try_from(starts.len())?;
        if begun.elapsed() >= OPENS * opened {
            let number = first + u64::from(opened);
            let call = office(number).instance_id(format!("office-{number:03}"));
            starts.push(tokio::spawn(hub.start(call)));
        }
        map.look().await?;
    }
    map.tell("no more work arrives").await?;
    for start in starts {
        start.await??.result().await?;
    }
    map.tell("all work is done").await?;
    audit(&hub).await?;
    workers.end().await?;
    Ok(hub.shutdown().await?)
}

/// How often the partitions are looked at, and how often an office opens.
const LOOK: Duration = Duration::from_millis(50);
const OPENS: Duration = Duration::from_millis(500);

/// Compares all that the hub has done with the work that was acknowledged.
async fn audit(hub: &TaskHub) -> Result<()> {
    let (mut offices, mut moved) = (0, 0);
    let mut all = hub.stream(InstanceQuery::new().of::<office>().with_values());
    while let Some(office) = all.try_next().await? {
        moved += office.output_as::<i64>()?.unwrap_or_default();
        offices += 1;
    }
    let receipts: i64 = (0..TRANSFERS).map(bank::cents).sum();
    let completed = InstanceQuery::new().name("transfer").status(RuntimeStatus::Completed);
    let completed = hub.count(&completed).await?;
    let running = hub.count(&InstanceQuery::new().status(RuntimeStatus::Running)).await?;
    let mut signals = 0;
    let mut statistics = hub.stream(EntityQuery::new().of::<Statistics>());
    while let Some(entity) = statistics.try_next().await? {
        signals += entity.state_as::<Statistics>()?.unwrap_or_default().transfers;
    }
    let (mut sum, mut locks) = (0, 0);
    let mut accounts = hub.stream(EntityQuery::new().of::<Account>().include_transient());
    while let Some(entity) = accounts.try_next().await? {
        sum += entity.state_as::<Account>()?.unwrap_or_default().cents;
        locks += i64::from(entity.locked_by.is_some());
    }
    println!("\naudit of {offices} offices, each with {TRANSFERS} transfers");
    let transfers = i64::try_from(offices * TRANSFERS)?;
    check("transfers completed", i64::try_from(completed)?, transfers)?;
    check("transfers counted by signals", i64::try_from(signals)?, transfers)?;
    check("cents moved, by the receipts", moved, receipts * i64::try_from(offices)?)?;
    check("cents in all accounts together", sum, 0)?;
    check("accounts that are locked", locks, 0)?;
    check("instances that still run", i64::try_from(running)?, 0)
}

fn check(what: &str, found: i64, expected: i64) -> Result<()> {
    if found != expected {
        return Err(Error::msg(format!("{what}: {found} instead of {expected}")));
    }
    println!("  {what:<32} {found:>8}  ok");
    Ok(())
}
