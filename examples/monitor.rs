//! Monitor: polls with back-off until a condition holds or a deadline passes.
//!
//! ```text
//! cargo run -p examples --bin monitor
//! ```
//! Two builds are watched: one that finishes, and one that never does. First in virtual time, where
//! six hours pass at once, as in a test (`durable::testing`); then live, with short intervals. The
//! printed report is read from the history.
//!
//! Waiting costs nothing: between two checks, a monitor is a timer on disk.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use comfy_table::{Table, presets};
use durable::prelude::*;
use durable::protocol::{EventKind, HistoryEvent};
use durable::testing::TestHub;
use serde::{Deserialize, Serialize};

/// How often to ask, and for how long.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Polling {
    first_interval: Duration,
    longest_interval: Duration,
    expiry: Duration,
}

const PATIENT: Polling = Polling {
    first_interval: Duration::from_mins(5),
    longest_interval: Duration::from_hours(1),
    expiry: Duration::from_hours(6),
};

const HASTY: Polling = Polling {
    first_interval: Duration::from_millis(20),
    longest_interval: Duration::from_millis(250),
    expiry: Duration::from_millis(1200),
};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum BuildState {
    Running,
    Finished,
}

#[derive(Debug, Serialize, Deserialize)]
enum Outcome {
    Finished { checks: u32 },
    Expired { checks: u32 },
}

/// The custom status of a running monitor, visible to clients.
#[derive(Debug, Serialize, Deserialize)]
struct Progress {
    checks: u32,
    next_check: DateTime<Utc>,
}

/// Watches a build until it is finished or the deadline passes. The last check is made at the
/// deadline.
///
/// This monitor makes about twenty checks. One that polls for weeks should call
/// `ctx.continue_as_new(..)` now and then to keep its history small: see the example `eternal`.
#[orchestrator]
async fn monitor_build(
    ctx: &OrchestrationContext,
    build: &str,
    polling: Polling,
) -> Result<Outcome> {
    // Not the machine's clock: this time is recorded, and the same after a restart.
    let deadline = ctx.current_utc_datetime() + polling.expiry;
    let mut interval = polling.first_interval;
    let mut checks = 0;
    loop {
        checks += 1;
        if check_build(build).await? == BuildState::Finished {
            notify(build, "is finished").await?;
            return Ok(Outcome::Finished { checks });
        }
        let now = ctx.current_utc_datetime();
        if now >= deadline {
            notify(build, "was given up").await?;
            return Ok(Outcome::Expired { checks });
        }
        let next_check = deadline.min(now + interval);
        ctx.set_custom_status(&Progress { checks, next_check })?;
        ctx.create_timer(next_check).await;
        interval = (2 * interval).min(polling.longest_interval);
    }
}

/// Asks the server. A single missing response is no reason to give up, so the engine retries the
/// call without involving the orchestrator.
#[activity(retry(
    max_number_of_attempts = 4,
    first_retry_interval = "50ms",
    backoff_coefficient = 2.0,
    jitter = 0.1
))]
async fn check_build(server: State<BuildServer>, build: &str) -> Result<BuildState> {
    server.state_of(build)
}

#[activity]
async fn notify(build: &str, what: &str) -> Result<()> {
    println!("mail to the team: build `{build}` {what}");
    Ok(())
}

/// Simulates a remote service: `linux` is finished after six requests, `windows` hangs, and every
/// fourth request gets no response.
#[derive(Default)]
struct BuildServer {
    requests: Mutex<BTreeMap<String, u32>>,
}

impl BuildServer {
    fn state_of(&self, build: &str) -> Result<BuildState> {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let count = requests.entry(build.to_owned()).or_default();
        *count += 1;
        if count.is_multiple_of(4) {
            return Err(Error::msg("the build server does not answer"));
        }
        let is_finished = build == "linux" && *count >= 6;
        Ok(if is_finished { BuildState::Finished } else { BuildState::Running })
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    println!("=== in virtual time: every 5 minutes at first, every hour at last, for 6 hours\n");
    let hub = TestHub::builder().configure(|hub| hub.state(BuildServer::default())).open().await?;
    watch(&hub, PATIENT).await?;

    println!("=== live: every 20 ms at first, every 250 ms at last, for 1.2 seconds\n");
    let hub = TaskHub::builder().in_memory().state(BuildServer::default()).open().await?;
    watch(&hub, HASTY).await?;
    Ok(hub.shutdown().await?)
}

/// Watches both builds at once, and reports them one after the other.
async fn watch(hub: &TaskHub, polling: Polling) -> Result<()> {
    let linux = hub.start(monitor_build("linux", polling)).await?;
    let windows = hub.start(monitor_build("windows", polling)).await?;
    for (build, run) in [("linux", linux), ("windows", windows)] {
        match run.result().await? {
            Outcome::Finished { checks } => println!("{build}: finished, after {checks} checks"),
            Outcome::Expired { checks } => println!("{build}: expired, after {checks} checks"),
        }
        // While the monitor runs, any client can read its progress here.
        if let Some(Progress { checks, next_check }) = run.custom_status().await? {
            println!("it last said: {checks} checks, the next at {}", next_check.format("%T%.3f"));
        }
        println!("{}\n", account(&run.history().await?));
    }
    Ok(())
}

/// The result of each check, with its time since the start.
fn account(history: &[HistoryEvent]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["after", "check"]);
    let Some(start) = history.first().map(|event| event.timestamp.to_datetime()) else {
        return table;
    };
    for event in history {
        let what = match &event.kind {
            EventKind::TaskAttemptFailed { attempt, failure, .. } => {
                format!("attempt {attempt}: {failure}")
            }
            EventKind::TaskCompleted { result, .. } => {
                match serde_json::from_str::<BuildState>(result.as_str()) {
                    Ok(state) => format!("{state:?}"),
                    Err(_of_another_activity) => continue,
                }
            }
            _ => continue,
        };
        table.add_row([text(event.timestamp.to_datetime() - start), what]);
    }
    table
}

fn text(time: TimeDelta) -> String {
    if time.is_zero() {
        return "at once".to_owned();
    }
    if time < TimeDelta::minutes(1) {
        return format!("{} ms", time.num_milliseconds());
    }
    format!("{} h {:02} min", time.num_hours(), time.num_minutes() % 60)
}
