//! When an instance is resumed, results and events that arrived during its suspension are handled
//! as they would have been without it.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use durable::prelude::*;
use durable::protocol::EventKind;
use durable::testing::{TestHub, TestHubBuilder};
use durable::{OrchestrationHandle, RetryPolicy, RuntimeStatus};
use tokio::sync::Semaphore;

const SECOND: Duration = Duration::from_secs(1);

/// How many attempts of an activity may end, for each test.
static GATES: LazyLock<Mutex<BTreeMap<String, Arc<Semaphore>>>> = LazyLock::new(Mutex::default);

fn gate(test: &str) -> Arc<Semaphore> {
    let mut gates = GATES.lock().unwrap();
    Arc::clone(gates.entry(test.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(0))))
}

/// Ends when its test lets it, and fails until the attempt of this number.
#[activity]
async fn opens_at(ctx: &ActivityContext, test: &str, attempt: u32) -> Result<u32> {
    gate(test).acquire().await?.forget();
    if ctx.attempt() < attempt { Err(Error::msg("too early")) } else { Ok(ctx.attempt()) }
}

#[orchestrator]
async fn tries_gated(ctx: &OrchestrationContext, test: String, attempt: u32) -> Result<u32> {
    Ok(opens_at(&test, attempt).retry(RetryPolicy::new(3, 10 * SECOND)).await?)
}

#[orchestrator]
async fn tries_once(ctx: &OrchestrationContext, test: String) -> Result<u32> {
    Ok(opens_at(&test, 9).retry(RetryPolicy::new(1, SECOND)).await?)
}

#[orchestrator]
async fn fails_late(ctx: &OrchestrationContext) -> Result<()> {
    ctx.create_timer(5 * SECOND).await;
    Err(Error::msg("the child fails"))
}

#[orchestrator]
async fn parent_suspended(ctx: &OrchestrationContext) -> Result<i64> {
    let began = ctx.current_utc_datetime();
    fails_late().retry(RetryPolicy::new(3, 10 * SECOND)).await.unwrap_err();
    Ok((ctx.current_utc_datetime() - began).num_seconds())
}

#[orchestrator]
async fn changed_meanwhile(ctx: &OrchestrationContext) -> Result<String> {
    ctx.wait_for_external_event::<()>("go").await?;
    Ok(if ctx.patched("p") { "new" } else { "old" }.to_owned())
}

async fn attempts<O: durable::Orchestrator>(run: &OrchestrationHandle<O>) -> Result<Vec<u32>> {
    let history = run.history().await?;
    let attempt = |kind: &EventKind| match kind {
        EventKind::TaskAttemptFailed { attempt, .. } => Some(*attempt),
        _ => None,
    };
    Ok(history.iter().filter_map(|event| attempt(&event.kind)).collect())
}

/// Lets an activity fail while its instance is suspended, and again after that.
async fn fails_while_suspended(test: &str, hub: TestHubBuilder) -> Result<()> {
    let hub = hub.open().await?;
    let run = hub.start(tries_gated(test.to_owned(), 3)).await?;
    run.suspend("lunch").await?;
    gate(test).add_permits(1);
    hub.settle().await;
    assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Suspended);
    assert_eq!(hub.calls::<opens_at>().len(), 1);
    let failed = hub.now();
    run.resume("back").await?;
    gate(test).add_permits(2);
    assert_eq!(run.result().await?, 3);
    assert_eq!(attempts(&run).await?, [1, 2]);
    assert_eq!((hub.now() - failed).num_seconds(), 20);
    Ok(())
}

#[tokio::test]
async fn an_attempt_that_fails_while_suspended_is_retried() -> Result<()> {
    fails_while_suspended("live", TestHub::builder()).await?;
    let evicted = TestHub::builder().configure(|hub| hub.live_instances(0).partitions(1));
    fails_while_suspended("evicted", evicted).await
}

#[tokio::test]
async fn an_attempt_that_failed_while_suspended_is_retried_after_a_restart() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(tries_gated("restart".to_owned(), 2).instance_id("restart")).await?;
    run.suspend("lunch").await?;
    gate("restart").add_permits(1);
    hub.settle().await;
    let hub = hub.reopen().await?;
    let run = hub.find_instance::<tries_gated>("restart").await?.expect("it is kept");
    hub.advance(60 * SECOND).await;
    run.resume("back").await?;
    gate("restart").add_permits(1);
    let resumed = hub.now();
    assert_eq!(run.result().await?, 2);
    assert_eq!(hub.now(), resumed, "its time had passed");
    Ok(())
}

#[tokio::test]
async fn the_last_attempt_that_fails_while_suspended_fails_the_call() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(tries_once("last".to_owned())).await?;
    run.suspend("lunch").await?;
    gate("last").add_permits(1);
    hub.settle().await;
    run.resume("back").await?;
    let failed = run.result().await.unwrap_err().to_string();
    assert!(failed.ends_with("activity `opens_at` failed: too early"), "{failed}");
    assert_eq!(attempts(&run).await?, [0; 0]);
    Ok(())
}

#[tokio::test]
async fn a_child_that_fails_while_its_parent_is_suspended_is_retried() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(parent_suspended()).await?;
    hub.advance(SECOND).await;
    run.suspend("lunch").await?;
    hub.advance(10 * SECOND).await;
    run.resume("back").await?;
    // 5, 10, 5, 10 and 5 seconds.
    assert_eq!(run.result().await?, 35);
    Ok(())
}

#[tokio::test]
async fn a_patch_reached_after_a_suspension_is_applied() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(changed_meanwhile()).await?;
    run.suspend("lunch").await?;
    run.raise_event("go", &()).await?;
    run.resume("back").await?;
    assert_eq!(run.result().await?, "new");
    Ok(())
}
