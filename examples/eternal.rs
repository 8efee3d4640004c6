//! Eternal: a periodic cleanup that runs forever with a small history. Each round is an execution
//! of its own, with an empty history (`continue_as_new`).
//!
//! ```text
//! cargo run -p examples --bin eternal -- --hub /tmp/cleanup
//! ```
//! A folder is cleaned every 200 ms. Meanwhile, clients request more folders with events, which are
//! never lost between two rounds. After some rounds a client sends a stop event, and the example
//! ends.
//!
//! Kill it in the middle (`kill -9`) and run the same command again: it continues with the
//! interrupted round. After the stop, the same command shows the recorded result. With another
//! `--hub` it starts over, and without one it runs in memory.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use durable::OrchestrationHandle;
use durable::client::ManageError;
use durable::prelude::*;
use durable::protocol::{EventKind, HistoryEvent};
use durable::task::Race3;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Cleans up periodically and durably, until it is stopped.
#[derive(Parser)]
struct Arguments {
    /// The folder of the task hub; in memory if not given.
    #[arg(long)]
    hub: Option<PathBuf>,
    /// The number of rounds before the stop event.
    #[arg(long, default_value_t = 10)]
    rounds: u64,
}

const PERIOD: Duration = Duration::from_millis(200);

/// A request to clean this folder now.
#[durable::event]
#[derive(Debug, Serialize, Deserialize)]
struct CleanNow {
    folder: String,
}

/// A request to stop the cleanup.
#[durable::event]
#[derive(Debug, Serialize, Deserialize)]
struct Stop;

/// The state that a round passes to the next.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Total {
    files: u64,
    on_request: Vec<String>,
}

/// One round: cleans a folder, then waits for the next request or tick, which starts the next
/// round.
#[orchestrator]
async fn periodic_cleanup(
    ctx: &OrchestrationContext,
    folder: &str,
    mut total: Total,
) -> Result<Total> {
    let began = ctx.current_utc_datetime();
    total.files += remove_old_files(ctx.generation() + 1, folder).await?;
    ctx.set_custom_status(&total)?;
    // Counted from the start of the round, so that rounds do not drift.
    let next_round = ctx.create_timer(began + PERIOD);
    let request = ctx.wait_for_event::<CleanNow>();
    // In this order, so that folders requested before the stop are cleaned.
    match durable::race((request, ctx.wait_for_event::<Stop>(), next_round)).await {
        // Unread events are carried over to the next round.
        Race3::First(request) => {
            let folder = request?.folder;
            total.on_request.push(folder.clone());
            ctx.continue_as_new(periodic_cleanup(&folder, total)).await
        }
        Race3::Second(stop) => {
            stop?;
            Ok(total)
        }
        Race3::Third(()) => ctx.continue_as_new(periodic_cleanup("/tmp", total)).await,
    }
}

/// Removes old files; a repetition after a crash does no harm.
#[activity(retry(max_number_of_attempts = 5, first_retry_interval = "1s"))]
async fn remove_old_files(rounds: State<Rounds>, round: u64, folder: &str) -> Result<u64> {
    println!("round {round}: cleaning {folder}");
    rounds.send_replace(round);
    Ok(3)
}

/// The current round, for `main` below.
type Rounds = watch::Sender<u64>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let (rounds, mut seen) = watch::channel(0);
    let builder = TaskHub::builder().state::<Rounds>(rounds);
    let hub = match arguments.hub {
        Some(folder) => builder.path(folder).open().await?,
        None => builder.in_memory().open().await?,
    };
    let run = start_or_go_on(&hub).await?;
    tokio::select! {
        _ = seen.wait_for(|round| *round >= arguments.rounds) => match run.raise(&Stop).await {
            // The previous process may have sent it and was killed before it was handled.
            Ok(()) | Err(ManageError::Finished { .. }) => {}
            Err(error) => return Err(error.into()),
        },
        _ended = run.wait_for_completion() => {}
    }
    let total = run.result().await?;
    println!("stopped: {} files are removed", total.files);
    println!("cleaned on request: {}", total.on_request.join(", "));
    tell_history(&run.history().await?);
    Ok(hub.shutdown().await?)
}

/// Uses a fixed id: there is a single cleanup, however often this program is started.
async fn start_or_go_on(hub: &TaskHub) -> Result<OrchestrationHandle<periodic_cleanup>> {
    if let Some(run) = hub.find_instance("cleanup").await? {
        let total = run.custom_status::<Total>().await?.unwrap_or_default();
        let (status, files) = (run.status().await?.runtime_status, total.files);
        println!("the cleanup is there already: {status}, {files} files are removed so far");
        return Ok(run);
    }
    let first = periodic_cleanup("/tmp", Total::default());
    let run = hub.start(first.instance_id("cleanup")).await?;
    // Three at once, during a round: each gets a round of its own.
    for folder in ["/var/a", "/var/b", "/var/c"] {
        run.raise(&CleanNow { folder: folder.to_owned() }).await?;
    }
    Ok(run)
}

/// The history contains only the last round, however many there were.
fn tell_history(history: &[HistoryEvent]) {
    for event in history {
        if let EventKind::ExecutionStarted(started) = &event.kind {
            let (rounds, events) = (started.generation + 1, history.len());
            println!("{rounds} rounds, and the history has {events} events:");
        }
    }
    let names: Vec<_> = history.iter().map(|event| event.kind.type_name()).collect();
    println!("  {}", names.join(", "));
}
