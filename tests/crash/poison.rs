//! Instances that crash the process whenever they run: the hub sets them aside, and the others
//! continue.
//!
//! The test runs this program again as a child until the child survives. The child starts an
//! instance that crashes the process, and exits once the hub has set that instance aside.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use durable::RuntimeStatus::{Running, Suspended};
use durable::client::{EntityDetails, EntityQuery};
use durable::prelude::*;
use tokio::sync::Notify;

use crate::instances::builder;

const FOLDER: &str = "DURABLE_POISON_TEST_FOLDER";
const POISON: &str = "DURABLE_POISON_TEST_POISON";
/// The environment variable that is set once the cause is fixed, so that the code no longer crashes
/// the process.
const MENDED: &str = "DURABLE_POISON_TEST_MENDED";

/// Tells the slow activities to end.
static GO: Notify = Notify::const_new();

/// The number of runs until it is set aside: the first start, three openings together with all
/// others, and five alone.
const DEATHS: usize = 9;

fn is_mended() -> bool {
    std::env::var_os(MENDED).is_some()
}

fn end_of_process() {
    if !is_mended() {
        std::process::abort();
    }
}

/// Overflows its stack.
fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 1024]);
    if depth == u64::MAX { 0 } else { recurse(depth + 1) + frame[1] }
}

#[activity]
async fn aborts() -> u32 {
    end_of_process();
    7
}

/// Like the poison, it has no result while the process ends again and again.
#[activity]
async fn is_slow() -> u32 {
    GO.notified().await;
    GO.notify_one();
    1
}

#[orchestrator]
async fn calls_aborting(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(aborts().await?)
}

#[orchestrator]
async fn calls_slow(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(is_slow().await?)
}

#[orchestrator]
#[durable::allow(DURABLE0006, reason = "the variable stands for a change of the code")]
async fn overflows(ctx: &OrchestrationContext) -> Result<u32> {
    if !is_mended() {
        recurse(0);
    }
    Ok(7)
}

#[orchestrator]
async fn has_overflowing_child(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(overflows().instance_id("poison").await?)
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Tank(u32);

#[entity]
impl Tank {
    fn fill(&mut self, by: u32) {
        self.0 += by;
    }

    fn explode(&mut self) {
        end_of_process();
    }

    fn level(&self) -> u32 {
        self.0
    }
}

#[orchestrator]
async fn explodes(ctx: &OrchestrationContext) -> Result<String> {
    Tank::at("t").fill(1).signal()?;
    let failure = Tank::at("t").explode().await.err();
    Tank::at("t").fill(2).signal()?;
    Ok(failure.map(|failure| failure.to_string()).unwrap_or_default())
}

async fn open(folder: &Path) -> Result<TaskHub> {
    // In a single partition, the poison is the first instance that runs alone.
    Ok(builder(folder)?.partitions(1).open().await?)
}

/// An orderly end, before which the slow activities have no result.
async fn stop(hub: TaskHub) -> Result<()> {
    hub.shutdown_within(Duration::from_millis(200)).await?;
    Ok(())
}

/// Starts the poison, once.
async fn start(hub: &TaskHub, poison: &str) -> Result<()> {
    if hub.instance("slow-1")?.status().await.is_ok() {
        return Ok(());
    }
    for id in ["slow-1", "slow-2"] {
        hub.start(calls_slow().instance_id(id)).await?;
    }
    match poison {
        "activity" => drop(hub.start(calls_aborting().instance_id("poison")).await?),
        "child" => drop(hub.start(has_overflowing_child().instance_id("parent")).await?),
        _ => drop(hub.start(explodes().instance_id("caller")).await?),
    }
    Ok(())
}

#[tokio::main]
async fn child(folder: &Path, poison: &str) -> Result<()> {
    let hub = open(folder).await?;
    start(&hub, poison).await?;
    if poison == "operation" || poison == "skipped" {
        // Its messages are kept, and no instance has failed.
        let tank = until_set_aside(&hub).await?;
        let suspension = tank.suspension.expect("it is set aside");
        assert_eq!(suspension.code.as_deref(), Some("DURABLE0106"));
        assert!(suspension.reason.contains("attempts             8,"), "{}", suspension.reason);
        assert_eq!(hub.instance("caller")?.status().await?.runtime_status, Running);
        let queue = hub.entity_queue(&tank.entity_id, 10).await?;
        let queue: Vec<_> = queue.into_iter().filter_map(|it| it.operation).collect();
        assert_eq!(queue, ["explode"]);
        hub.signal_entity(Tank::at("t").fill(4)).await?;
        if poison == "skipped" {
            assert!(hub.skip_operation(&tank.entity_id).await?);
            let failure = result_of_caller(&hub).await?;
            assert!(failure.contains("DURABLE0106: the operation was skipped"), "{failure}");
            assert_eq!(hub.call_entity(Tank::at("t").level()).await?, 7);
            assert!(!hub.skip_operation(&tank.entity_id).await?, "it runs as usual");
        }
        return stop(hub).await;
    }
    // A waiting client is told.
    let run = loop {
        if let Some(run) = find(&hub).await? {
            break run;
        }
        tokio::task::yield_now().await;
    };
    let error = run.result().await.expect_err("it is set aside").to_string();
    assert!(error.contains("DURABLE0106"), "{error}");
    let status = hub.instance("poison")?.status().await?;
    assert_eq!(status.runtime_status, Suspended);
    let suspension = status.suspension.expect("it is suspended");
    assert_eq!(suspension.code.as_deref(), Some("DURABLE0106"));
    assert!(suspension.reason.contains("attempts             8,"), "{}", suspension.reason);
    stop(hub).await
}

async fn until_set_aside(hub: &TaskHub) -> Result<EntityDetails> {
    loop {
        if let Some(tank) = hub.query(&EntityQuery::new().set_aside()).await?.items.pop() {
            return Ok(tank);
        }
        tokio::task::yield_now().await;
    }
}

async fn result_of_caller(hub: &TaskHub) -> Result<String> {
    let caller = hub.find_instance::<explodes>("caller").await?;
    Ok(caller.ok_or_else(|| Error::msg("the start is lost"))?.result().await?)
}

/// The poison, whose handle is that of either orchestration: both return a number.
async fn find(hub: &TaskHub) -> Result<Option<Poison>> {
    let id = "poison";
    let called = hub.find_instance::<calls_aborting>(id).await.ok().flatten();
    let found = hub.find_instance::<overflows>(id).await.ok().flatten();
    Ok(called.map(Poison::Calls).or(found.map(Poison::Overflows)))
}

enum Poison {
    Calls(durable::OrchestrationHandle<calls_aborting>),
    Overflows(durable::OrchestrationHandle<overflows>),
}

impl Poison {
    async fn result(&self) -> Result<u32> {
        Ok(match self {
            Self::Calls(run) => run.result().await?,
            Self::Overflows(run) => run.result().await?,
        })
    }
}

/// Runs after the cause was fixed.
#[tokio::main]
async fn mended(folder: &Path, poison: &str) -> Result<()> {
    let hub = open(folder).await?;
    GO.notify_one();
    if poison == "operation" {
        // The next opening does not run it either.
        let tank = until_set_aside(&hub).await?;
        assert!(hub.resume_entity(&tank.entity_id).await?);
        assert_eq!(result_of_caller(&hub).await?, "", "the operation was carried out");
        assert_eq!(hub.call_entity(Tank::at("t").level()).await?, 7);
        let tank = hub.entity(&tank.entity_id).await?;
        assert_eq!(tank.and_then(|tank| tank.suspension), None);
    } else if poison != "skipped" {
        // The next opening does not run it either.
        let instance = hub.instance("poison")?;
        assert_eq!(instance.status().await?.runtime_status, Suspended);
        instance.resume("mended").await?;
        let run = find(&hub).await?;
        assert_eq!(run.ok_or_else(|| Error::msg("it is lost"))?.result().await?, 7);
    }
    if poison == "child" {
        let parent = hub.find_instance::<has_overflowing_child>("parent").await?;
        assert_eq!(parent.ok_or_else(|| Error::msg("it is lost"))?.result().await?, 7);
    }
    // No other instance was set aside.
    for id in ["slow-1", "slow-2"] {
        let run = hub.find_instance::<calls_slow>(id).await?;
        assert_eq!(run.ok_or_else(|| Error::msg("it is lost"))?.result().await?, 1);
    }
    Ok(hub.shutdown().await?)
}

fn run(test: &str, folder: &Path, poison: &str, is_mended: bool) -> Result<ExitStatus> {
    let mut child = Command::new(std::env::current_exe()?);
    child.args(["--exact", test, "--nocapture", "--test-threads", "1"]);
    child.env(FOLDER, folder).env(POISON, poison).stdout(Stdio::null()).stderr(Stdio::null());
    if is_mended {
        child.env(MENDED, "1");
    }
    Ok(child.status()?)
}

/// Runs children until one survives.
fn is_set_aside(test: &str, poison: &str) -> Result<()> {
    let test = format!("poison::{test}");
    if let Some(folder) = std::env::var_os(FOLDER) {
        let folder = Path::new(&folder);
        return if is_mended() { mended(folder, poison) } else { child(folder, poison) };
    }
    let folder = tempfile::tempdir()?;
    let mut deaths = 0;
    loop {
        let status = run(&test, folder.path(), poison, false)?;
        if status.success() {
            break;
        }
        assert_eq!(status.code(), None, "a check of the child has failed");
        deaths += 1;
        assert!(deaths <= 2 * DEATHS, "the hub does not open");
    }
    // In the meantime, an entity carries out the operations before the poison, which may have to
    // wait for them.
    let more = if matches!(poison, "operation" | "skipped") { 2 } else { 0 };
    assert!((DEATHS..=DEATHS + more).contains(&deaths), "{deaths}");
    let status = run(&test, folder.path(), poison, true)?;
    assert!(status.success(), "{status}");
    Ok(())
}

#[test]
fn an_instance_whose_activity_aborts_the_process_is_set_aside_until_it_is_resumed() -> Result<()> {
    is_set_aside(
        "an_instance_whose_activity_aborts_the_process_is_set_aside_until_it_is_resumed",
        "activity",
    )
}

#[test]
fn a_child_that_overflows_the_stack_is_set_aside_and_its_parent_waits() -> Result<()> {
    is_set_aside("a_child_that_overflows_the_stack_is_set_aside_and_its_parent_waits", "child")
}

#[test]
fn an_entity_whose_operation_aborts_the_process_is_set_aside_until_it_is_resumed() -> Result<()> {
    is_set_aside(
        "an_entity_whose_operation_aborts_the_process_is_set_aside_until_it_is_resumed",
        "operation",
    )
}

#[test]
fn an_operation_that_aborts_the_process_can_be_skipped_and_its_entity_continues() -> Result<()> {
    is_set_aside(
        "an_operation_that_aborts_the_process_can_be_skipped_and_its_entity_continues",
        "skipped",
    )
}
