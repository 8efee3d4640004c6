//! Runtimes that end before the hub, have no timers, or have no thread left for blocking work.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use durable::client::{HubError, ResultError, StartError};
use durable::prelude::*;
use durable::store::MemoryStore;
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[activity]
async fn never_ends() -> Result<u32> {
    std::future::pending().await
}

#[activity]
async fn ends() -> u32 {
    1
}

#[orchestrator]
async fn calls(ctx: &OrchestrationContext, forever: bool) -> Result<u32> {
    Ok(if forever { never_ends().await? } else { ends().await? })
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Sleeper;

#[entity]
impl Sleeper {
    async fn sleep(&mut self) {
        std::future::pending::<()>().await;
    }
}

#[test]
fn a_hub_reports_that_its_runtime_has_ended_and_shuts_down() {
    let store = Arc::new(MemoryStore::default());
    let first = runtime();
    let (hub, run) = first.block_on(async {
        let hub = TaskHub::builder().store(store.clone()).open().await.unwrap();
        let run = hub.start(calls(true)).await.unwrap();
        (hub, run)
    });
    let second = runtime();
    let entity = second.spawn({
        let hub = hub.clone();
        async move { hub.call_entity(Sleeper::at("a").sleep()).await.unwrap_err() }
    });
    let waiting = second.spawn(async move { run.result().await.unwrap_err() });
    first.shutdown_timeout(Duration::from_secs(10));
    second.block_on(async {
        let ended = waiting.await.unwrap();
        assert!(matches!(ended, ResultError::Hub(HubError::RuntimeEnded)), "{ended}");
        let ended = entity.await.unwrap();
        assert!(
            matches!(ended, durable::client::EntityError::Hub(HubError::RuntimeEnded)),
            "{ended}"
        );
        let refused = hub.start(calls(false)).await.unwrap_err();
        assert!(matches!(refused, StartError::Hub(HubError::RuntimeEnded)), "{refused}");
        let text = refused.to_string();
        assert!(text.contains("the runtime on which it was opened has ended"), "{text}");
        hub.shutdown().await.unwrap_err();
        // Nothing is lost.
        let hub = TaskHub::builder().store(store).open().await.unwrap();
        assert_eq!(hub.start(calls(false)).await.unwrap().result().await.unwrap(), 1);
        hub.shutdown_within(Duration::from_millis(200)).await.unwrap();
    });
}

#[test]
fn a_runtime_that_ends_after_the_hub_has_no_effect() {
    let first = runtime();
    let hub = first.block_on(async {
        let hub = TaskHub::builder().in_memory().open().await.unwrap();
        hub.clone().shutdown().await.unwrap();
        hub
    });
    drop(first);
    let refused = runtime().block_on(hub.start(calls(false))).unwrap_err();
    assert!(matches!(refused, StartError::Hub(HubError::ShutDown)), "{refused}");
}

#[activity]
async fn yields_or_hangs(hangs: bool) -> u32 {
    tokio::task::yield_now().await;
    if hangs { std::future::pending().await } else { 1 }
}

#[orchestrator]
async fn has_limits(ctx: &OrchestrationContext) -> Result<String> {
    // A busy machine may take longer than any short limit.
    assert_eq!(yields_or_hangs(false).attempt_timeout(Duration::from_hours(1)).await?, 1);
    let hangs = yields_or_hangs(true).attempt_timeout(Duration::from_millis(50));
    Ok(hangs.await.unwrap_err().to_string())
}

#[test]
fn time_limits_hold_on_a_runtime_without_timers() {
    let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    runtime.block_on(async {
        let hub = TaskHub::builder().in_memory().open().await.unwrap();
        let failure = hub.start(has_limits()).await.unwrap().result().await.unwrap();
        assert!(failure.contains("took longer than its timeout of 50ms"), "{failure}");
        hub.shutdown_within(Duration::from_mins(1)).await.unwrap();
    });
}

static HELD: Mutex<()> = Mutex::new(());

#[activity(attempt_timeout = "50ms")]
fn hangs_on_its_thread() {
    drop(HELD.lock());
}

#[orchestrator]
async fn fills_the_pool(ctx: &OrchestrationContext) -> Result<usize> {
    let all = durable::join_all((0..4).map(|_| hangs_on_its_thread())).await;
    Ok(all.iter().filter(|result| result.is_err()).count())
}

#[test]
fn hung_blocking_activities_hold_up_neither_queries_nor_the_shutdown() {
    let runtime =
        Builder::new_multi_thread().worker_threads(1).max_blocking_threads(2).enable_all().build();
    let held = HELD.lock();
    let runtime = runtime.unwrap();
    runtime.block_on(async {
        let hub = TaskHub::builder().in_memory().open().await.unwrap();
        let run = hub.start(fills_the_pool()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), 4);
        assert!(run.status().await.unwrap().runtime_status.is_finished());
        hub.shutdown().await.unwrap();
    });
    drop(held);
}
