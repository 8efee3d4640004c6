//! A process that is killed at random moments while its instances send each other messages: every
//! message arrives once and in order.
//!
//! Each producer numbers its messages, occasionally continues as new, calls children and sleeps.
//! Its collector expects each number once, in order. The test runs this program again as a child,
//! kills it after a random number of steps, and lets the next child continue. With
//! `DURABLE_LONG=1`, it does so more often.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use durable::RuntimeStatus;
use durable::client::InstanceQuery;
use durable::prelude::*;

use crate::instances;
use crate::seed::{self, Random};

const NUMBERS: u32 = 40;
/// The environment variable with the folder of the test.
const FOLDER: &str = "DURABLE_CRASH_MESSAGES_FOLDER";

fn rounds() -> u32 {
    if seed::is_long() { 200 } else { 40 }
}

/// The number of producers.
fn producers() -> u32 {
    if seed::is_long() { 40 } else { 8 }
}

#[activity]
async fn numbered_step(n: u32) -> Result<u32> {
    println!("numbered_step {n}");
    Ok(n)
}

#[orchestrator]
async fn leaf(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    Ok(numbered_step(n).await?)
}

/// Sends the numbers from `next` on.
#[orchestrator]
async fn producer(ctx: &OrchestrationContext, collector: String, next: u32) -> Result<()> {
    for n in next..NUMBERS.min(next + 4) {
        let sent = leaf(n).await?;
        ctx.create_timer(Duration::from_millis(u64::from(n % 3))).await;
        ctx.send_event(&collector, "number", &sent)?;
    }
    if next + 4 < NUMBERS {
        return ctx.continue_as_new(producer(collector, next + 4)).await;
    }
    Ok(())
}

/// Expects the numbers from `next` on.
#[orchestrator]
async fn collector(ctx: &OrchestrationContext, next: u32) -> Result<String> {
    for wanted in next..NUMBERS.min(next + 3) {
        let found = ctx.wait_for_external_event::<u32>("number").await?;
        if found != wanted {
            return Ok(format!("{found} came instead of {wanted}"));
        }
    }
    if next + 3 < NUMBERS {
        return ctx.continue_as_new(collector(next + 3)).await;
    }
    // A duplicate message would arrive now.
    let more =
        durable::timeout(Duration::from_millis(100), ctx.wait_for_external_event::<u32>("number"));
    Ok(if more.await.is_ok() { "one too many".into() } else { "all".into() })
}

/// The child: starts the missing instances, and waits for all instances, until it is killed.
#[tokio::main]
async fn child(folder: &Path) -> Result<()> {
    let hub = instances::builder(folder)?.live_instances(6).open().await?;
    let mut collectors = Vec::new();
    for number in 0..producers() {
        let id = format!("collector-{number}");
        collectors.push(hub.start_if_absent(collector(0).instance_id(&id)).await?);
        let producer = producer(id, 0).instance_id(format!("producer-{number}"));
        hub.start_if_absent(producer).await?;
    }
    for run in collectors {
        println!("collected {}", run.result().await?);
    }
    println!("done");
    // The child is killed here, or earlier.
    std::future::pending().await
}

/// Checks the hub at the end: no instance is still running, and none has failed.
#[tokio::main]
async fn check(folder: &Path) -> Result<()> {
    let hub = instances::builder(folder)?.open().await?;
    for number in 0..producers() {
        let run = hub.find_instance::<producer>(&format!("producer-{number}")).await?;
        run.expect("it was started").result().await?;
    }
    let all = hub.count(&InstanceQuery::new()).await?;
    let completed = hub.count(&InstanceQuery::new().status(RuntimeStatus::Completed)).await?;
    let expected = u64::from(producers() * (NUMBERS + 2));
    assert_eq!((all, completed), (expected, expected), "children, producers and collectors");
    Ok(hub.shutdown().await?)
}

#[test]
fn messages_arrive_once_and_in_order() -> Result<()> {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return child(Path::new(&folder));
    }
    let folder = tempfile::tempdir()?;
    let mut random = Random::new(seed::seed());
    let mut collected = Vec::new();
    for round in 0..rounds() {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["messages_arrive", "--nocapture", "--test-threads", "1"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let last = round + 1 == rounds();
        let lines = 1 + usize::try_from(random.below(30))?;
        let lines = if last { usize::MAX } else { lines };
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        collected.clear();
        for line in output.lines().take(lines) {
            let line = line?;
            match line.split_once("collected ") {
                Some((_, what)) => collected.push(what.to_owned()),
                None if line.contains("done") => break,
                None => {}
            }
        }
        child.kill()?;
        child.wait()?;
    }
    assert_eq!(collected, vec!["all"; usize::try_from(producers())?]);
    check(folder.path())
}
