//! An instance that ends each process that runs it.
//!
//! The test runs this very program again, three times at any time, as the processes of a hub. Whenever
//! one ends, another takes its place.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use durable::RuntimeStatus;
use durable::prelude::*;
use durable_postgres::{PostgresOptions, PostgresStore};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::cluster;

/// Where a process finds the hub.
const URL: &str = "DURABLE_POISON_TEST_URL";
const SCHEMA: &str = "DURABLE_POISON_TEST_SCHEMA";

/// As many processes end as in a hub of one process: one that runs the instance first, three that take
/// its partition over and run it with all others, and five that run it alone.
const DEATHS: usize = 9;

#[activity]
async fn aborts() -> u32 {
    std::process::abort()
}

#[activity]
async fn never_ends() -> u32 {
    std::future::pending().await
}

#[orchestrator]
async fn calls_aborting(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(aborts().await?)
}

#[orchestrator]
async fn calls_never_ending(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(never_ends().await?)
}

#[orchestrator]
async fn answers(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(42)
}

async fn open(options: PostgresOptions, is_client: bool) -> Result<TaskHub> {
    let store = PostgresStore::connect_with(options.lease(Duration::from_secs(2))).await?;
    let hub = TaskHub::builder().store(store).partitions(8);
    Ok(if is_client { hub.client_only().open().await? } else { hub.open().await? })
}

/// A process of the hub. It ends at the latest when the test does.
#[tokio::main]
async fn process(url: &str, schema: &str) -> Result<()> {
    let _hub = open(PostgresOptions::new(url)?.schema(schema)?, false).await?;
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// Keeps a process running, and counts how often it ends.
async fn keep_running(schema: String, deaths: Arc<AtomicUsize>) {
    loop {
        let mut process = Command::new(std::env::current_exe().expect("this program"));
        let test = "poison::an_instance_that_ends_every_process_is_set_aside";
        process.args(["--exact", test, "--nocapture", "--test-threads", "1"]);
        process.env(URL, cluster::shared().url()).env(SCHEMA, &schema);
        process.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = process.kill_on_drop(true).spawn().expect("a process");
        let _input = process.stdin.take();
        let status = process.wait().await.expect("its end");
        assert_eq!(status.code(), None, "a process has failed");
        deaths.fetch_add(1, Ordering::SeqCst);
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(3), future).await.expect("it takes too long")
}

#[tokio::main]
async fn recognized() -> Result<()> {
    let options = cluster::schema(&cluster::unique("poison"));
    let client = open(options.clone(), true).await?;
    let deaths = Arc::<AtomicUsize>::default();
    let schema = cluster::schema_of(&options);
    let processes: Vec<_> =
        (0..3).map(|_| tokio::spawn(keep_running(schema.clone(), Arc::clone(&deaths)))).collect();
    let mut innocent = Vec::new();
    for n in 0..6 {
        let id = format!("innocent-{n}");
        innocent.push(within(client.start(calls_never_ending().instance_id(id))).await?);
    }
    // By its id, it is the first of the suspects that run alone.
    let run = within(client.start(calls_aborting().instance_id("a-poison"))).await?;
    let error = within(run.result()).await.unwrap_err().to_string();
    assert!(error.contains("DURABLE0106") && error.contains("attempts             8,"), "{error}");
    assert_eq!(deaths.load(Ordering::SeqCst), DEATHS);
    let works = within(client.start(answers())).await?;
    assert_eq!(within(works.result()).await?, 42);
    for run in innocent {
        // It may have been held back with the others.
        within(async {
            while run.status().await.unwrap().runtime_status != RuntimeStatus::Running {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    assert!(processes.iter().all(|process| !process.is_finished()));
    client.shutdown().await?;
    Ok(())
}

#[test]
fn an_instance_that_ends_every_process_is_set_aside() -> Result<()> {
    match (std::env::var(URL), std::env::var(SCHEMA)) {
        (Ok(url), Ok(schema)) => process(&url, &schema),
        _ => recognized(),
    }
}
