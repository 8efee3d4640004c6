//! Destructors that panic, wherever the hub drops values of users.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use durable::client::{EntityError, ResultError};
use durable::prelude::*;
use durable::testing::TestHub;
use serde::{Deserialize, Serialize};

use super::bomb::{Bomb, Chain};

#[activity]
async fn one() -> u32 {
    1
}

#[orchestrator]
async fn adds_one(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    ctx.create_timer(Duration::from_secs(1)).await;
    Ok(n + one().await?)
}

/// The result of another instance of the same partition, which must not be affected.
async fn the_hub_goes_on(hub: &TaskHub) -> Result<()> {
    assert_eq!(hub.start(adds_one(1)).await?.result().await?, 2);
    Ok(())
}

async fn one_partition() -> Result<TestHub> {
    Ok(TestHub::builder().configure(|hub| hub.partitions(1)).open().await?)
}

#[track_caller]
fn failure<T: std::fmt::Debug>(result: Result<T, ResultError>) -> String {
    match result {
        Err(ResultError::Failed(failed)) => failed.to_string(),
        other => panic!("{other:?}"),
    }
}

#[orchestrator]
async fn drops_at_continue_as_new(ctx: &OrchestrationContext, round: u32) -> Result<u32> {
    let _bomb = Bomb;
    ctx.continue_as_new(drops_at_continue_as_new(round + 1)).await
}

#[tokio::test]
async fn a_destructor_that_panics_at_continue_as_new_fails_its_instance_alone() -> Result<()> {
    let hub = one_partition().await?;
    let run = hub.start(drops_at_continue_as_new(0)).await?;
    let failure = failure(run.result().await);
    assert!(failure.contains("the bomb goes off"), "{failure}");
    assert!(failure.contains("tests/guards/bomb.rs:"), "{failure}");
    the_hub_goes_on(&hub).await?;
    Ok(hub.shutdown().await?)
}

#[orchestrator]
async fn drops_at_a_limit(ctx: &OrchestrationContext) -> Result<u32> {
    let _bomb = Bomb;
    let all = durable::join_all((0..100).map(|_| one())).await;
    Ok(u32::try_from(all.len()).unwrap_or_default())
}

#[tokio::test]
async fn a_destructor_that_panics_when_a_limit_is_exceeded_leaves_the_reason() -> Result<()> {
    let hub = TestHub::builder().configure(|hub| hub.partitions(1).max_actions(10)).open().await?;
    let failure = failure(hub.start(drops_at_a_limit()).await?.result().await);
    assert!(failure.contains("10"), "{failure}");
    the_hub_goes_on(&hub).await
}

#[orchestrator]
async fn waits_with_a_bomb(ctx: &OrchestrationContext) -> Result<u32> {
    let bomb = Bomb;
    let n = ctx.wait_for_external_event("n").await?;
    std::mem::forget(bomb);
    Ok(n)
}

#[tokio::test]
async fn a_destructor_that_panics_at_an_eviction_does_nothing_to_its_instance() -> Result<()> {
    let one_partition = |hub: durable::client::TaskHubBuilder| hub.partitions(1).live_instances(0);
    let hub = TestHub::builder().configure(one_partition).open().await?;
    let run = hub.start(waits_with_a_bomb().instance_id("evicted")).await?;
    hub.settle().await;
    the_hub_goes_on(&hub).await?;
    let hub = hub.reopen().await?;
    run_again(&hub).await?;
    drop(run);
    Ok(())
}

async fn run_again(hub: &TaskHub) -> Result<()> {
    let run = hub.find_instance::<waits_with_a_bomb>("evicted").await?.expect("it is there");
    run.raise_event("n", &7).await?;
    assert_eq!(run.result().await?, 7);
    Ok(())
}

#[activity(attempt_timeout = "50ms")]
async fn hangs_with_a_bomb() -> Result<()> {
    let _bomb = Bomb;
    std::future::pending().await
}

#[activity]
async fn panics_with_a_chain() {
    std::panic::panic_any(Chain(3));
}

#[activity]
fn blocks_and_panics_with_a_chain() {
    std::panic::panic_any(Chain(3));
}

#[activity]
async fn panics_with_a_book() {
    panic!("{}", "x".repeat(10_000_000));
}

#[orchestrator]
async fn collects_failures(ctx: &OrchestrationContext) -> Result<Vec<String>> {
    let all = durable::join((
        hangs_with_a_bomb(),
        panics_with_a_chain(),
        blocks_and_panics_with_a_chain(),
        panics_with_a_book(),
    ));
    let (a, b, c, d) = all.await;
    Ok([a.err(), b.err(), c.err(), d.err()].into_iter().flatten().map(|e| e.to_string()).collect())
}

#[tokio::test]
async fn activities_whose_futures_and_panics_cannot_be_dropped_fail() -> Result<()> {
    let hub = TaskHub::builder().in_memory().partitions(1).open().await?;
    let failures = hub.start(collects_failures()).await?.result().await?;
    let [hangs, chain, blocks, book] = &failures[..] else { panic!("{failures:?}") };
    assert!(hangs.contains("took longer than its timeout of 50ms"), "{hangs}");
    for chain in [chain, blocks] {
        assert!(chain.contains("panicked at tests/guards/destructors.rs:"), "{chain}");
        assert!(chain.ends_with("something that is not text"), "{chain}");
    }
    assert!(book.ends_with("x.. (10000000 bytes in all)") && book.len() < 10_000);
    the_hub_goes_on(&hub).await?;
    Ok(hub.shutdown().await?)
}

static ROLLS: AtomicU32 = AtomicU32::new(0);

#[activity]
async fn rolls() -> Result<u32> {
    match ROLLS.fetch_add(1, Ordering::SeqCst) {
        0 => Err(Error::msg("not yet")),
        rolls => Ok(rolls),
    }
}

#[orchestrator]
async fn retries_with_a_bomb(ctx: &OrchestrationContext) -> Result<u32> {
    let chain = Chain(2);
    let policy = RetryPolicy::new(3, Duration::from_secs(1));
    let decides = move |_: &durable::retry::RetryContext| {
        let chain = &chain;
        chain.0 == 2
    };
    Ok(rolls().retry(policy.handle(decides)).await?)
}

#[tokio::test]
async fn a_retry_decision_that_cannot_be_dropped_decides() -> Result<()> {
    let hub = one_partition().await?;
    assert_eq!(hub.start(retries_with_a_bomb()).await?.result().await?, 1);
    the_hub_goes_on(&hub).await
}

#[derive(Default, Serialize, Deserialize)]
struct Explosive {
    value: u32,
}

impl Drop for Explosive {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "an entity goes off");
    }
}

#[entity]
impl Explosive {
    fn set(&mut self, value: u32) -> Result<u32> {
        self.value = value;
        if value > 9 { Err(Error::msg("too much")) } else { Ok(value) }
    }

    fn get(&self) -> u32 {
        self.value
    }
}

#[tokio::test]
async fn an_entity_whose_destructor_panics_keeps_its_state() -> Result<()> {
    let hub = one_partition().await?;
    hub.call_entity(Explosive::at("a").set(5)).await?;
    let failed = hub.call_entity(Explosive::at("a").set(50)).await.unwrap_err();
    assert!(matches!(&failed, EntityError::Failed(_)), "{failed}");
    assert!(failed.to_string().ends_with("too much"), "{failed}");
    assert_eq!(hub.call_entity(Explosive::at("a").get()).await?, 5);
    Ok(hub.shutdown().await?)
}

#[tokio::test]
async fn shared_state_whose_destructor_panics_is_dropped_with_the_hub() -> Result<()> {
    let hub =
        TaskHub::builder().in_memory().partitions(1).state(Bomb).state(Chain(2)).open().await?;
    the_hub_goes_on(&hub).await?;
    Ok(hub.shutdown().await?)
}
