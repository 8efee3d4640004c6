//! Stores that panic, in each of their methods.

use std::sync::{Arc, Mutex};

use durable::client::{HubError, InstanceQuery, OpenError, StartError};
use durable::prelude::*;
use durable::store::{MemoryStore, Store, StoreError};
use durable::testing::TestHub;

use super::delegate::delegate;

/// A store that panics when it is asked for something that a test names.
#[derive(Debug, Default)]
struct Panics {
    inner: MemoryStore,
    at: Mutex<&'static str>,
}

impl Panics {
    fn at(&self, call: &'static str) {
        *self.at.lock().unwrap() = call;
    }

    fn check(&self, call: &str) {
        let panics = *self.at.lock().unwrap() == call;
        assert!(!panics, "a bug in `{call}`");
    }
}

impl Store for Panics {
    delegate! {
        (inner, check)
        create claim load messages commit instance due instances history check_room usage give_up
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        self.check("drop");
    }
}

#[orchestrator]
async fn waits(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(ctx.wait_for_external_event("n").await?)
}

async fn open(store: &Arc<Panics>) -> Result<TestHub, OpenError> {
    let store = Arc::clone(store);
    TestHub::builder()
        .configure(|hub| hub.partitions(1).live_instances(0).store(store))
        .open()
        .await
}

#[tokio::test]
async fn opening_fails_with_the_panic_of_the_store() -> Result<()> {
    for call in ["create", "claim", "load", "instances"] {
        let store = Arc::new(Panics::default());
        store.at(call);
        let error = open(&store).await.unwrap_err();
        assert!(matches!(error, OpenError::Store(StoreError::Panicked { .. })), "{error}");
        let said = format!("{error:?}");
        assert!(said.contains(&format!("a bug in `{call}`")), "{said}");
        store.at("");
        open(&store).await?.shutdown().await?;
    }
    Ok(())
}

#[track_caller]
fn names(error: &HubError, call: &str) {
    let HubError::Store(StoreError::Panicked { panic, .. }) = error else { panic!("{error}") };
    assert!(panic.ends_with(&format!("a bug in `{call}`")), "{panic}");
    assert!(panic.contains("tests/guards/store.rs:"), "{panic}");
}

#[tokio::test]
async fn waiters_get_the_panic_of_the_store_from_their_partition() -> Result<()> {
    for call in ["instance", "history", "commit"] {
        let store = Arc::new(Panics::default());
        let hub = open(&store).await?;
        let run = hub.start(waits().instance_id("waits")).await?;
        let waiting = tokio::spawn(run.clone().result_of());
        hub.start(waits().instance_id("other")).await?;
        hub.settle().await;
        store.at(call);
        let raised = hub.instance("other")?.raise_event("n", &1).await.unwrap_err();
        let durable::client::ManageError::Hub(error) = &raised else { panic!("{raised}") };
        names(error, call);
        names(&waiting.await.unwrap().unwrap_err(), call);
        let start = hub.start(waits()).await.unwrap_err();
        let StartError::Hub(error) = &start else { panic!("{start}") };
        names(error, call);
        let shutdown = hub.shutdown().await.unwrap_err();
        let shutdown = format!("{shutdown:?}");
        assert!(shutdown.contains(call), "{shutdown}");
        // Nothing is lost.
        store.at("");
        let hub = open(&store).await?;
        hub.instance("waits")?.raise_event("n", &5).await?;
        hub.instance("waits")?.wait_for_completion().await?;
        hub.shutdown().await?;
    }
    Ok(())
}

trait ResultOf {
    async fn result_of(self) -> Result<u32, HubError>;
}

impl ResultOf for durable::OrchestrationHandle<waits> {
    async fn result_of(self) -> Result<u32, HubError> {
        match self.result().await {
            Ok(result) => Ok(result),
            Err(durable::client::ResultError::Hub(error)) => Err(error),
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_store_that_panics_for_a_client_fails_that_request_alone() -> Result<()> {
    let store = Arc::new(Panics::default());
    let hub = open(&store).await?;
    let run = hub.start(waits().instance_id("waits")).await?;
    store.at("instances");
    names(&hub.count(&InstanceQuery::new()).await.unwrap_err(), "instances");
    store.at("check_room");
    let refused = hub.start(waits()).await.unwrap_err();
    assert!(matches!(refused, StartError::NoRoom(StoreError::Panicked { .. })), "{refused}");
    store.at("usage");
    run.raise_event("n", &3).await?;
    assert_eq!(run.result().await?, 3);
    store.at("give_up");
    Ok(hub.shutdown().await?)
}

#[tokio::test]
async fn a_store_may_panic_when_it_is_dropped() -> Result<()> {
    let store = Panics::default();
    store.at("drop");
    let hub = TaskHub::builder().store(store).open().await?;
    hub.start(waits()).await?;
    Ok(hub.shutdown().await?)
}
