//! Resident instances: which stay in memory, and which are replayed when something happens to them.

use std::collections::HashMap;
use std::sync::Mutex;

use durable::prelude::*;
use durable::testing::TestHub;

static BEGUN: Mutex<Option<HashMap<String, usize>>> = Mutex::new(None);

/// Counts, for each test, how often an orchestrator has begun, replays included.
fn count(test: &str) {
    *BEGUN.lock().unwrap().get_or_insert_default().entry(test.to_owned()).or_default() += 1;
}

#[orchestrator]
async fn reader(ctx: &OrchestrationContext, test: String) -> Result<usize> {
    count(&test);
    let book: String = ctx.wait_for_external_event("book").await?;
    ctx.wait_for_external_event::<()>("read").await?;
    Ok(book.len())
}

/// Gives each of eight readers a book and then lets each of them read it. Returns how often they
/// have begun.
async fn read(test: &str, pages: usize, live_bytes: Option<usize>) -> Result<usize> {
    let hub = TestHub::builder().configure(|hub| {
        let hub = hub.partitions(1).verify_replay(false);
        live_bytes.into_iter().fold(hub, durable::client::TaskHubBuilder::live_bytes)
    });
    let hub = hub.open().await?;
    let mut runs = Vec::new();
    for _ in 0..8 {
        let run = hub.start(reader(test.to_owned())).await?;
        run.raise_event("book", &"x".repeat(pages * 1024)).await?;
        runs.push(run);
    }
    for run in runs {
        run.raise_event("read", &()).await?;
        assert_eq!(run.result().await?, pages * 1024);
    }
    Ok(BEGUN.lock().unwrap().as_ref().and_then(|begun| begun.get(test).copied()).unwrap_or(0))
}

#[tokio::test]
async fn instances_stay_resident_while_there_is_room() -> Result<()> {
    assert_eq!(read("default", 32, None).await?, 8);
    assert_eq!(read("small", 1, Some(128 * 1024)).await?, 8);
    Ok(())
}

#[tokio::test]
async fn large_instances_are_evicted_for_others() -> Result<()> {
    let begun = read("large", 32, Some(128 * 1024)).await?;
    assert!((12..=16).contains(&begun), "{begun} times");
    Ok(())
}

#[tokio::test]
async fn an_instance_larger_than_the_cache_is_replayed_each_time() -> Result<()> {
    assert!(read("none", 1, Some(0)).await? >= 16);
    Ok(())
}
