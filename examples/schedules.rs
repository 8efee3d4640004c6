//! Schedules: an orchestration started again and again, by a cron pattern or at an interval.
//!
//! First a week passes at once, in a hub with virtual time; then three seconds pass live, in a hub
//! in a folder.
//!
//! ```text
//! cargo run -p examples --bin schedules
//! cargo run -p examples --bin schedules -- --hub /tmp/schedules
//! ```

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use comfy_table::{Table, presets};
use durable::prelude::*;
use durable::schedule::{Schedule, ScheduleDescription, ScheduleQuery};
use durable::testing::TestHub;

const DAY: Duration = Duration::from_hours(24);

/// Starts an orchestration again and again.
#[derive(Parser)]
struct Arguments {
    /// The folder of the hub that runs live; by default a new one in the temporary folder.
    #[arg(long)]
    hub: Option<PathBuf>,
}

#[activity]
async fn remove_older_than(days: u32) -> u32 {
    days * 3
}

#[orchestrator]
async fn cleanup(ctx: &OrchestrationContext, keep_days: u32) -> Result<String> {
    let removed = remove_older_than(keep_days).await?;
    Ok(format!("{removed} files removed at {}", ctx.current_utc_datetime().format("%H:%M:%S")))
}

#[orchestrator]
async fn look_for_orders(ctx: &OrchestrationContext, shop: String) -> Result<String> {
    Ok(format!("no orders in {shop}"))
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    a_week().await?;
    let folder = std::env::temp_dir().join(format!("durable-schedules-{}", std::process::id()));
    match arguments.hub {
        Some(path) => three_seconds(&path).await,
        None => {
            let ran = three_seconds(&folder).await;
            std::fs::remove_dir_all(&folder)?;
            ran
        }
    }
}

/// A week of a nightly and a frequent schedule, in virtual time.
async fn a_week() -> Result<()> {
    let hub = TestHub::builder().configure(|hub| hub.verify_replay(false)).open().await?;
    let nightly = Schedule::cron("0 3 * * *")?.of(cleanup(7));
    let nightly = hub.create_schedule("nightly", nightly).await?;
    let orders = Schedule::every(Duration::from_mins(5)).of(look_for_orders("Tokyo".into()));
    let orders = hub.create_schedule("orders", orders).await?;

    hub.advance(2 * DAY).await;
    orders.pause().await?;
    hub.advance(DAY).await;
    println!("After three days, the last of them with `orders` paused:");
    println!("{}", table(&hub.stream(ScheduleQuery::new()).try_collect().await?));

    orders.resume().await?;
    hub.advance(4 * DAY).await;
    println!("After a week:");
    println!("{}", table(&hub.stream(ScheduleQuery::new()).try_collect().await?));
    for run in hub.query(&nightly.runs()).await?.items {
        let run = hub.find_instance::<cleanup>(run.instance_id.as_str()).await?;
        if let Some(run) = run {
            println!("{}: {}", run.instance_id(), run.result().await?);
        }
    }
    Ok((*hub).clone().shutdown().await?)
}

/// A schedule with an interval of one second, live.
async fn three_seconds(folder: &Path) -> Result<()> {
    let hub = TaskHub::open(folder).await?;
    let end = chrono::Utc::now() + Duration::from_millis(3_500);
    let every_second = Schedule::every(Duration::from_secs(1)).end_at(end).of(cleanup(1));
    // A folder from an earlier run still has the schedule, which has ended.
    let live = hub.schedule("live")?;
    if live.describe().await.is_ok() {
        live.delete().await?;
    }
    let live = hub.create_schedule("live", every_second).await?;
    println!("\nLive, every second for three seconds:");
    live.instance().wait_for_completion().await?;
    for run in hub.query(&live.runs()).await?.items {
        let run = hub.find_instance::<cleanup>(run.instance_id.as_str()).await?;
        if let Some(run) = run {
            println!("{}: {}", run.instance_id(), run.result().await?);
        }
    }
    println!("{}", table(&[live.describe().await?]));
    Ok(hub.shutdown().await?)
}

fn table(schedules: &[ScheduleDescription]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["schedule", "runs", "when", "status", "times run", "last", "next"]);
    for it in schedules {
        let time = |time: Option<chrono::DateTime<chrono::Utc>>| {
            time.map_or_else(String::new, |time| time.format("%a %H:%M:%S").to_string())
        };
        table.add_row([
            it.id.clone(),
            it.orchestration.clone(),
            it.recurrence.to_string(),
            it.status.to_string(),
            it.runs.to_string(),
            time(it.last_run_at),
            time(it.next_run_at),
        ]);
    }
    table
}
