//! Folders of every released format, which every later release must open.
//!
//! The folders of a format are in `tests/compat/folders/v1/`. `closed` was shut down, so everything
//! is in sled's tree. `killed` is a copy of an open hub, so much of it is only in the log. `half`
//! was written by a process that ended in the middle of a checkpoint, so tree and log overlap. They
//! were written once, by the release with this format, and are never written again. To record
//! missing folders:
//!
//! ```text
//! cargo test -p tests --test compat -- --ignored folders::record
//! ```
//! The functions in this file are those of the recordings, so they must not change.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use durable::RuntimeStatus::{Completed, Failed, Running, Suspended};
use durable::client::{EntityQuery, InstanceQuery};
use durable::prelude::*;
use durable::schedule::{Schedule, ScheduleQuery};
use durable::store::SledStore;
use serde::{Deserialize, Serialize};

/// The due time of everything that waits in the recording: after the end of the recording, and
/// before the folder is opened.
const SOON: Duration = Duration::from_secs(10);

/// Whether the shop that activities call is open. It was closed when the folders were recorded.
static IS_OPEN: AtomicBool = AtomicBool::new(false);

#[activity]
async fn buy(item: &str) -> Result<String> {
    if IS_OPEN.load(Ordering::SeqCst) {
        Ok(format!("one {item}"))
    } else {
        Err(Error::msg("the shop is closed"))
    }
}

#[activity]
async fn double(n: u32) -> u32 {
    2 * n
}

#[orchestrator]
async fn doubles(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    let twice = double(n).await?;
    Ok(double(twice).await?)
}

#[orchestrator]
async fn sleeps(ctx: &OrchestrationContext) -> Result<String> {
    ctx.create_timer(SOON).await;
    Ok("slept".to_owned())
}

#[orchestrator]
async fn waits(ctx: &OrchestrationContext, first: u32) -> Result<u32> {
    let second = double(first).await?;
    ctx.set_custom_status(&"waiting")?;
    let third = ctx.wait_for_external_event::<u32>("Third").await?;
    Ok(first + second + third)
}

/// The first attempt fails, and the next is due later.
#[orchestrator]
async fn retries(ctx: &OrchestrationContext) -> Result<String> {
    let policy = RetryPolicy::new(3, SOON);
    Ok(buy("lamp").retry(policy).await?)
}

#[orchestrator]
async fn fails(ctx: &OrchestrationContext) -> Result<String> {
    Ok(buy("chair").await?)
}

#[orchestrator]
async fn parent(ctx: &OrchestrationContext) -> Result<u32> {
    let child = waits(1).instance_id("child");
    Ok(child.await? + waits(2).instance_id("other-child").await?)
}

/// Adds up one number in each execution.
#[orchestrator]
async fn adds(ctx: &OrchestrationContext, sum: u32, left: u32) -> Result<u32> {
    if left == 0 {
        return Ok(sum);
    }
    let number = ctx.wait_for_external_event::<u32>("Number").await?;
    ctx.continue_as_new(adds(sum + number, left - 1)).await
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Counter {
    count: u32,
}

#[entity]
impl Counter {
    fn add(&mut self, n: u32) {
        self.count += n;
    }

    fn get(&self) -> u32 {
        self.count
    }
}

/// Holds a lock while it waits.
#[orchestrator]
async fn holds(ctx: &OrchestrationContext) -> Result<u32> {
    let mut counter = ctx.lock_entities(Counter::at("locked")).await?;
    counter.add(1).await?;
    let more = ctx.wait_for_external_event::<u32>("More").await?;
    counter.add(more).await?;
    Ok(counter.get().await?)
}

#[orchestrator]
async fn tick(ctx: &OrchestrationContext) -> Result<()> {
    Ok(())
}

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("compat/folders/v1")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry?;
        let target = to.join(entry.path().strip_prefix(from)?);
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(target)?;
        // The file that the log prepares in advance is still empty.
        } else if !entry.path().ends_with("log/next") {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Creates instances in all states.
async fn fill(hub: &TaskHub) -> Result<()> {
    hub.start(doubles(1).instance_id("completed").tag("team", "stock")).await?.result().await?;
    hub.start(sleeps().instance_id("sleeping")).await?;
    hub.start(waits(1).instance_id("waiting")).await?;
    hub.start(waits(1).instance_id("suspended")).await?;
    hub.start(parent().instance_id("parent")).await?;
    hub.start(retries().instance_id("retrying")).await?;
    let failed = hub.start(fails().instance_id("failed")).await?;
    failed.result().await.unwrap_err();
    let adding = hub.start(adds(0, 4).instance_id("adding")).await?;
    for number in [1, 2] {
        adding.raise_event("Number", &number).await?;
    }
    hub.start(doubles(7).instance_id("later").start_at(SOON)).await?;
    hub.signal_entity(Counter::at("counted").add(5)).await?;
    let later = SOON;
    hub.signal_entity_at(later, Counter::at("counted").add(10)).await?;
    hub.start(holds().instance_id("holding")).await?;
    hub.create_schedule("ticks", Schedule::every(Duration::from_hours(1)).of(tick())).await?;
    until(hub, "retrying", |events| events.iter().any(|it| it == "TaskAttemptFailed")).await?;
    until(hub, "holding", |events| events.iter().any(|it| it == "EntityOperationCompleted"))
        .await?;
    for id in ["waiting", "suspended", "child"] {
        until(hub, id, |events| events.iter().any(|it| it == "TaskCompleted")).await?;
    }
    let suspended = hub.instance("suspended")?;
    suspended.suspend("lunch").await?;
    suspended.raise_event("Third", &3).await?;
    Ok(())
}

/// Waits until the history of an instance meets a condition.
async fn until(hub: &TaskHub, id: &str, is_so: impl Fn(&[String]) -> bool) -> Result<()> {
    loop {
        let history = hub.instance(id)?.history().await?;
        let names: Vec<_> = history.iter().map(|it| it.kind.type_name().to_owned()).collect();
        if is_so(&names) {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}

/// The folder of the process that ends in the middle of a checkpoint.
const HALF: &str = "DURABLE_COMPAT_HALF";

/// Fills a hub and ends when its first checkpoint writes.
async fn fill_and_abort(folder: &Path) -> Result<()> {
    let store = SledStore::options().overlay_bytes(1 << 20).open(folder)?;
    let hub = TaskHub::builder().store(store).partitions(4).open().await?;
    fill(&hub).await?;
    // A checkpoint begins after half a MiB. These values are never read.
    while std::fs::metadata(folder.join("sled/db"))?.len() == 0 {
        hub.instance("waiting")?.raise_event("Noise", &"x".repeat(200 << 10)).await?;
    }
    std::process::abort();
}

fn record_half(to: &Path) -> Result<()> {
    if to.exists() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let ended = std::process::Command::new(std::env::current_exe()?)
        .args(["--exact", "folders::record", "--ignored"])
        .env(HALF, folder.path())
        .status()?;
    assert_eq!(ended.code(), None, "it was to abort");
    copy(folder.path(), to)
}

#[tokio::test]
#[ignore = "writes the folders that are missing; see the top of this file"]
async fn record() -> Result<()> {
    if let Some(folder) = std::env::var_os(HALF) {
        return fill_and_abort(Path::new(&folder)).await;
    }
    record_half(&recorded().join("half"))?;
    let killed = recorded().join("killed");
    if killed.exists() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let hub = TaskHub::builder().path(folder.path()).partitions(4).open().await?;
    fill(&hub).await?;
    copy(folder.path(), &killed)?;
    hub.shutdown().await?;
    copy(folder.path(), &recorded().join("closed"))
}

async fn typed<O: durable::Orchestrator>(
    hub: &TaskHub,
    id: &str,
) -> Result<durable::OrchestrationHandle<O>> {
    let found = hub.find_instance::<O>(id).await?;
    found.ok_or_else(|| Error::msg(format!("there is no instance `{id}`")))
}

/// Opens a copy of a recorded folder, and lets everything in it end.
async fn goes_on(name: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    copy(&recorded().join(name), folder.path())?;
    IS_OPEN.store(true, Ordering::SeqCst);
    let segments = |folder: &Path| {
        let conf = std::fs::read(folder.join("sled/conf")).unwrap_or_default();
        let conf = String::from_utf8_lossy(&conf);
        conf.lines().find_map(|line| line.strip_prefix("segment_size: ")?.parse::<u32>().ok())
    };
    assert_eq!(segments(folder.path()), Some(512 * 1024));
    let hub = TaskHub::open(folder.path()).await?;
    assert_eq!(segments(folder.path()), Some(4 * 1024 * 1024), "of a safe size (design.md, 9)");
    let statuses = ["waiting", "suspended", "failed", "completed"];
    let mut found = Vec::new();
    for id in statuses {
        found.push(hub.instance(id)?.status().await?.runtime_status);
    }
    assert_eq!(found, [Running, Suspended, Failed, Completed]);
    let tagged = InstanceQuery::new().tag("team", "stock");
    assert_eq!(hub.count(&tagged).await?, 1);

    for id in ["waiting", "child", "other-child"] {
        if id == "other-child" {
            typed::<waits>(&hub, "child").await?.result().await?;
            hub.instance("other-child")?.wait_for_start().await.ok();
        }
        while let Err(error) = hub.instance(id)?.raise_event("Third", &3).await {
            assert_eq!(id, "other-child", "{error}");
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(typed::<waits>(&hub, "waiting").await?.result().await?, 6);
    assert_eq!(typed::<parent>(&hub, "parent").await?.result().await?, 6 + 9);
    hub.instance("suspended")?.resume("back").await?;
    assert_eq!(typed::<waits>(&hub, "suspended").await?.result().await?, 6);

    // All of these were due long ago.
    assert_eq!(typed::<sleeps>(&hub, "sleeping").await?.result().await?, "slept");
    assert_eq!(typed::<retries>(&hub, "retrying").await?.result().await?, "one lamp");
    assert_eq!(typed::<doubles>(&hub, "later").await?.result().await?, 28);
    while hub.call_entity(Counter::at("counted").get()).await? < 15 {
        tokio::task::yield_now().await;
    }

    hub.instance("failed")?.rewind("the shop is open").await?;
    assert_eq!(typed::<fails>(&hub, "failed").await?.result().await?, "one chair");
    for number in [3, 4] {
        hub.instance("adding")?.raise_event("Number", &number).await?;
    }
    assert_eq!(typed::<adds>(&hub, "adding").await?.result().await?, 10);
    hub.instance("holding")?.raise_event("More", &2).await?;
    assert_eq!(typed::<holds>(&hub, "holding").await?.result().await?, 3);
    let entities = hub.query(&EntityQuery::new()).await?.items;
    assert_eq!(entities.len(), 2);
    assert_eq!(hub.stream(ScheduleQuery::new()).try_collect().await?.len(), 1);
    Ok(hub.shutdown().await?)
}

#[tokio::test]
async fn a_closed_folder_of_format_1_opens_and_continues() -> Result<()> {
    goes_on("closed").await
}

#[tokio::test]
async fn a_half_checkpointed_folder_of_format_1_opens_and_continues() -> Result<()> {
    // The folder must contain both layers.
    let folder = recorded().join("half");
    assert!(std::fs::metadata(folder.join("sled/db"))?.len() > 0);
    let has_log = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.path().extension().is_some_and(|it| it == "log"))
    };
    assert!(std::fs::read_dir(folder.join("log"))?.any(has_log));
    goes_on("half").await
}

#[tokio::test]
async fn a_killed_folder_of_format_1_opens_and_continues() -> Result<()> {
    goes_on("killed").await
}
