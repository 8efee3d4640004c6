//! Eternal: a periodic cleanup that goes on for ever, and stays small: each round is an execution of
//! its own, with an empty history (`continue_as_new`).
//!
//! ```text
//! cargo run -p examples --bin eternal -- --hub /tmp/cleanup
//! ```
//! Every 200 ms a folder is cleaned. Meanwhile others ask for more with events, which are never lost
//! between two rounds. After some rounds somebody says stop, and the example ends.
//!
//! Kill it in the middle (`kill -9`) and run the same command again: it goes on with the round in
//! which it was. When it was stopped, the same command shows the recorded result; with another
//! `--hub` it begins anew, and without one it works in memory.

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

/// Cleans up every now and then, durably, until it is told to stop.
#[derive(Parser)]
struct Arguments {
    /// Where the task hub remembers what is done; in memory, if not given.
    #[arg(long)]
    hub: Option<PathBuf>,
    /// After how many rounds somebody says stop.
    #[arg(long, default_value_t = 10)]
    rounds: u64,
}

const PERIOD: Duration = Duration::from_millis(200);

/// Somebody wants this folder cleaned now.
#[durable::event]
#[derive(Debug, Serialize, Deserialize)]
struct CleanNow {
    folder: String,
}

/// Somebody wants the cleanup to end.
#[durable::event]
#[derive(Debug, Serialize, Deserialize)]
struct Stop;

/// What goes from one round to the next: all that is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Total {
    files: u64,
    on_request: Vec<String>,
}

/// One round: cleans a folder, then waits for the next thing to do, which is the next round.
#[orchestrator]
async fn periodic_cleanup(
    ctx: &OrchestrationContext,
    folder: &str,
    mut total: Total,
) -> Result<Total> {
    let began = ctx.current_utc_datetime();
    total.files += remove_old_files(ctx.generation() + 1, folder).await?;
    ctx.set_custom_status(&total)?;
    // Counted from the beginning of the round, so that rounds do not drift with the work.
    let next_round = ctx.create_timer(began + PERIOD);
    let request = ctx.wait_for_event::<CleanNow>();
    // In this order: what was asked for before the stop is cleaned before it.
    match durable::race((request, ctx.wait_for_event::<Stop>(), next_round)).await {
        // What else has come in and was not read goes to the next round.
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

/// Removes what is old; to remove it twice, after a crash, does no harm.
#[activity(retry(max_number_of_attempts = 5, first_retry_interval = "1s"))]
async fn remove_old_files(rounds: State<Rounds>, round: u64, folder: &str) -> Result<u64> {
    println!("round {round}: cleaning {folder}");
    rounds.send_replace(round);
    Ok(3)
}

/// In which round the cleanup is, for the `main` below to see.
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
            // The process before this one may have said it, and was killed before it was heard.
            Ok(()) | Err(ManageError::Finished { .. }) => {}
            Err(error) => return Err(error.into()),
        },
        _ended = run.wait_for_completion() => {}
    }
    let total = run.result().await?;
    println!("stopped: {} files are removed", total.files);
    println!("cleaned on request: {}", total.on_request.join(", "));
    tell_history(&run.history().await?);
    hub.shutdown().await
}

/// Under one id: there is one cleanup, however often this program is started.
async fn start_or_go_on(hub: &TaskHub) -> Result<OrchestrationHandle<periodic_cleanup>> {
    if let Some(run) = hub.get_instance("cleanup").await? {
        let total = run.custom_status::<Total>().await?.unwrap_or_default();
        let (status, files) = (run.status().await?.runtime_status, total.files);
        println!("the cleanup is there already: {status}, {files} files are removed so far");
        return Ok(run);
    }
    let first = periodic_cleanup("/tmp", Total::default());
    let run = hub.start(first.instance_id("cleanup")).await?;
    // Three at once, while a round is busy: each gets a round of its own.
    for folder in ["/var/a", "/var/b", "/var/c"] {
        run.raise(&CleanNow { folder: folder.to_owned() }).await?;
    }
    Ok(run)
}

/// However many rounds there were, there is one in the history: the last.
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
