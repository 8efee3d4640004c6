//! Attempts of instances that were evicted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use durable::prelude::*;
use durable::testing::TestHub;

static RUNS: AtomicUsize = AtomicUsize::new(0);
static CHILDREN: AtomicUsize = AtomicUsize::new(0);

#[activity]
async fn tried_twice(ctx: &ActivityContext) -> Result<()> {
    RUNS.fetch_add(1, Ordering::Relaxed);
    if ctx.attempt() == 1 { Err(Error::msg("fails")) } else { Ok(()) }
}

#[orchestrator]
async fn tries_twice(ctx: &OrchestrationContext) -> Result<()> {
    tried_twice().retry(RetryPolicy::new(3, Duration::from_secs(10))).await?;
    ctx.wait_for_external_event::<()>("go").await?;
    Ok(())
}

#[activity]
async fn child_runs() -> usize {
    CHILDREN.fetch_add(1, Ordering::Relaxed)
}

#[orchestrator]
async fn tried_child(ctx: &OrchestrationContext) -> Result<u32> {
    if child_runs().await? == 0 {
        return Err(Error::msg("the first run fails"));
    }
    Ok(ctx.wait_for_external_event("number").await?)
}

#[orchestrator]
async fn tries_child(ctx: &OrchestrationContext) -> Result<u32> {
    let policy = RetryPolicy::new(3, Duration::from_secs(10));
    Ok(tried_child().instance_id("tried").retry(policy).await?)
}

#[tokio::test]
async fn an_attempt_is_not_repeated_if_its_result_arrives_after_an_eviction() -> Result<()> {
    let hub = TestHub::builder().configure(|hub| hub.live_instances(0)).open().await?;
    let run = hub.start(tries_twice()).await?;
    hub.advance(Duration::from_secs(30)).await;
    run.raise_event("go", &()).await?;
    run.result().await?;
    assert_eq!(RUNS.load(Ordering::Relaxed), 2);
    Ok(())
}

#[tokio::test]
async fn a_child_is_not_started_again_while_it_runs_or_when_it_has_ended() -> Result<()> {
    let hub = TestHub::builder().configure(|hub| hub.live_instances(0)).open().await?;
    let run = hub.start(tries_child()).await?;
    hub.advance(Duration::from_secs(30)).await;
    // The parent is replayed for this, and requests the second attempt again.
    run.raise_event("unheard", &()).await?;
    hub.settle().await;
    hub.instance("tried")?.raise_event("number", &7_u32).await?;
    assert_eq!(run.result().await?, 7);
    hub.settle().await;
    assert_eq!(CHILDREN.load(Ordering::Relaxed), 2);
    Ok(())
}
