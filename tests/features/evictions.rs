//! An evicted instance does not repeat an attempt that ended while the instance was not in memory.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use durable::prelude::*;
use durable::{OrchestrationHandle, RetryPolicy};
use tokio::sync::Semaphore;

static SECOND_RUNS: AtomicU32 = AtomicU32::new(0);
static BEGUN: Semaphore = Semaphore::const_new(0);
static RELEASED: Semaphore = Semaphore::const_new(0);
static NEXT_BEGUN: Semaphore = Semaphore::const_new(0);

/// Fails once; its second attempt ends when the test lets it.
#[activity]
async fn second_is_slow(ctx: &ActivityContext) -> Result<u32> {
    if ctx.attempt() == 1 {
        return Err(Error::msg("the first attempt"));
    }
    SECOND_RUNS.fetch_add(1, Ordering::SeqCst);
    BEGUN.add_permits(1);
    RELEASED.acquire().await?.forget();
    Ok(ctx.attempt())
}

#[activity]
async fn comes_next() {
    NEXT_BEGUN.add_permits(1);
}

#[orchestrator]
async fn tries_slowly(ctx: &OrchestrationContext) -> Result<u32> {
    let policy = RetryPolicy::new(2, Duration::from_millis(1));
    Ok(second_is_slow().retry(policy).await?)
}

#[orchestrator]
async fn waits_for_place(ctx: &OrchestrationContext) -> Result<()> {
    Ok(comes_next().await?)
}

static DOOR: std::sync::LazyLock<Arc<Barrier>> =
    std::sync::LazyLock::new(|| Arc::new(Barrier::new(2)));

#[durable::allow(DURABLE0023, reason = "it keeps its partition busy until the test lets it go on")]
#[orchestrator]
async fn keeps_busy(ctx: &OrchestrationContext) -> Result<()> {
    DOOR.wait();
    DOOR.wait();
    Ok(())
}

async fn at_the_door() -> Result<()> {
    Ok(tokio::task::spawn_blocking(|| {
        DOOR.wait();
    })
    .await?)
}

/// Polls a future once, so that it sends its request.
async fn begin<F: Future>(mut future: Pin<&mut F>) {
    std::future::poll_fn(|cx| {
        let _ = future.as_mut().poll(cx);
        std::task::Poll::Ready(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_whose_result_is_in_flight_does_not_run_again_after_an_eviction() -> Result<()> {
    let hub = TaskHub::builder()
        .in_memory()
        .only_registered()
        .register::<tries_slowly>()
        .register::<waits_for_place>()
        .register::<keeps_busy>()
        .register::<second_is_slow>()
        .register::<comes_next>()
        .partitions(1)
        .live_instances(0)
        .activity_concurrency(1);
    let hub = hub.open().await?;
    let run: OrchestrationHandle<tries_slowly> = hub.start(tries_slowly()).await?;
    BEGUN.acquire().await?.forget();
    let next = hub.start(waits_for_place()).await?;
    // The partition is busy, so everything that is sent now arrives in one turn, in which the
    // instance is replayed.
    let (other, busy) = (hub.clone(), keeps_busy());
    let busy = tokio::spawn(async move { other.start(busy).await });
    at_the_door().await?;
    let mut raise = pin!(run.raise_event("anything", &()));
    begin(raise.as_mut()).await;
    let mut resume = pin!(run.resume("it is not suspended"));
    begin(resume.as_mut()).await;
    RELEASED.add_permits(2);
    // Only one activity runs at a time, so the previous attempt has ended and has been reported.
    NEXT_BEGUN.acquire().await?.forget();
    at_the_door().await?;
    raise.await?;
    resume.await?;
    assert_eq!(run.result().await?, 2);
    next.result().await?;
    busy.await??.result().await?;
    hub.shutdown().await?;
    assert_eq!(SECOND_RUNS.load(Ordering::SeqCst), 1);
    Ok(())
}
