//! Entities whose code is missing or cannot read their state: calls fail, signals wait, and no
//! other entity is delayed.

use std::sync::Arc;

use durable::client::EntityError;
use durable::entity::DynamicHandle;
use durable::store::MemoryStore;
use durable::{EntityId, RuntimeStatus};

use durable::prelude::*;
use durable::store::Store;
use durable::testing::TestHub;
use serde::{Deserialize, Serialize};

/// The entity as it was stored.
#[derive(Debug, Default, Serialize, Deserialize)]
struct OldShape {
    count: u64,
}

#[entity(name = "shape")]
impl OldShape {
    fn add(&mut self, n: u64) -> u64 {
        self.count += n;
        self.count
    }
}

/// Code that cannot read its state.
#[derive(Debug, Default, Serialize, Deserialize)]
struct NewShape {
    total: u64,
}

#[entity(name = "shape")]
impl NewShape {
    fn add(&mut self, n: u64) -> u64 {
        self.total += n;
        self.total
    }
}

/// Code that cannot read its state either, and has an operation with the name that every entity
/// has.
#[derive(Debug, Default, Serialize, Deserialize)]
struct OwnDelete {
    total: u64,
}

#[entity(name = "shape")]
impl OwnDelete {
    fn delete(&mut self, ctx: &EntityContext) -> u64 {
        ctx.delete();
        self.total
    }
}

/// The code of a hub.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Code {
    Old,
    New,
    OwnDelete,
    None,
}

fn shape(key: &str) -> Result<DynamicHandle> {
    Ok(EntityId::new("shape", key)?.handle())
}

async fn open(store: &Arc<dyn Store>, code: Code) -> Result<TestHub> {
    let store = Arc::clone(store);
    let builder = TestHub::builder().configure(|hub| {
        let hub = hub.store(store).only_registered().verify_replay(false);
        let hub = hub.register::<sends>().register::<calls_shape>().register::<locks_shape>();
        let hub = hub.register::<holds_shape>();
        match code {
            Code::Old => hub.register_entity::<OldShape>(),
            Code::New => hub.register_entity::<NewShape>(),
            Code::OwnDelete => hub.register_entity::<OwnDelete>(),
            Code::None => hub,
        }
    });
    Ok(builder.open().await?)
}

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::default())
}

#[orchestrator]
async fn sends(ctx: &OrchestrationContext, key: String, count: u64) -> Result<()> {
    for _ in 0..count {
        shape(&key)?.operation::<u64>("add", &1).signal()?;
    }
    Ok(())
}

#[orchestrator]
async fn calls_shape(ctx: &OrchestrationContext, key: String) -> Result<u64> {
    Ok(shape(&key)?.operation("add", &1).await?)
}

#[orchestrator]
async fn locks_shape(ctx: &OrchestrationContext, key: String) -> Result<String> {
    let mut section = ctx.lock_entities(shape(&key)?).await?;
    let called = section.operation::<u64>("add", &1).await;
    Ok(match called {
        Ok(count) => count.to_string(),
        Err(failed) => failed.to_string(),
    })
}

/// Holds the lock until it is told to continue.
#[orchestrator]
async fn holds_shape(ctx: &OrchestrationContext, key: String) -> Result<()> {
    let _section = ctx.lock_entities(shape(&key)?).await?;
    Ok(ctx.wait_for_external_event::<()>("go on").await?)
}

const UNREADABLE: &str = "the state of `@shape@s` cannot be read as";
const UNREGISTERED: &str = "entity `shape` is not registered";

/// Signals wait for code that fits, across restarts. Calls fail with the reason.
#[tokio::test]
async fn without_fitting_code_signals_wait_and_calls_fail() -> Result<()> {
    for (code, said) in [(Code::New, UNREADABLE), (Code::None, UNREGISTERED)] {
        let store = memory();
        let hub = open(&store, Code::Old).await?;
        hub.start(sends("s".into(), 3)).await?.result().await?;
        hub.settle().await;
        hub.shutdown().await?;

        let mut hub = open(&store, code).await?;
        for _ in 0..2 {
            hub.start(sends("s".into(), 5)).await?.result().await?;
            let failed = hub.start(calls_shape("s".into())).await?.result().await.unwrap_err();
            assert!(failed.to_string().contains(said), "{failed}");
            hub = hub.crash().await?;
        }
        let failed = hub.call_entity(shape("s")?.operation::<u64>("add", &1)).await.unwrap_err();
        assert!(failed.to_string().contains(said), "{failed}");
        match hub.signal_entity(shape("s")?.operation::<u64>("add", &1)).await {
            Ok(()) => assert_eq!(code, Code::New),
            Err(EntityError::NotRegistered { .. }) => assert_eq!(code, Code::None),
            Err(other) => return Err(other.into()),
        }
        hub.shutdown().await?;

        let hub = open(&store, Code::Old).await?;
        hub.settle().await;
        let signals = if code == Code::New { 14 } else { 13 };
        assert_eq!(hub.call_entity(OldShape::at("s").add(0)).await?, signals, "{code:?}");
        hub.shutdown().await?;
    }
    Ok(())
}

/// A lock needs no state: it is given, and calls under it fail.
#[tokio::test]
async fn lock_requests_are_served_without_fitting_code() -> Result<()> {
    for (code, said) in [(Code::New, UNREADABLE), (Code::None, UNREGISTERED)] {
        let store = memory();
        let hub = open(&store, Code::Old).await?;
        hub.call_entity(OldShape::at("s").add(1)).await?;
        hub.shutdown().await?;
        let hub = open(&store, code).await?;
        hub.start(sends("s".into(), 5)).await?.result().await?;
        hub.settle().await;
        let locks = hub.start(locks_shape("s".into()).instance_id("locks")).await?;
        hub.settle().await;
        // The lock does not delay the requests behind it.
        let failed = hub.start(calls_shape("s".into())).await?.result().await.unwrap_err();
        assert!(failed.to_string().contains(said), "{failed}");
        let answer = locks.result().await?;
        assert!(answer.contains(said), "{answer}");
        hub.shutdown().await?;
        let hub = open(&store, Code::Old).await?;
        hub.settle().await;
        assert_eq!(hub.call_entity(OldShape::at("s").add(0)).await?, 6, "{code:?}");
        hub.shutdown().await?;
    }
    Ok(())
}

/// More signals wait than are kept in memory. Calls and deletions are answered nevertheless.
#[tokio::test]
async fn many_entities_without_fitting_code_delay_no_other_entity() -> Result<()> {
    const COUNT: u64 = 9000;
    for (code, said) in [(Code::New, UNREADABLE), (Code::None, UNREGISTERED)] {
        let store = memory();
        let hub = open(&store, Code::Old).await?;
        hub.call_entity(OldShape::at("s").add(1)).await?;
        hub.shutdown().await?;
        let mut hub = open(&store, code).await?;
        hub.start(sends("s".into(), COUNT)).await?.result().await?;
        hub.settle().await;
        for _ in 0..2 {
            let failed = hub.start(calls_shape("s".into())).await?.result().await.unwrap_err();
            assert!(failed.to_string().contains(said), "{failed}");
            hub = hub.crash().await?;
            hub.settle().await;
        }
        // A call that is stored behind all of them when the hub is opened.
        hub.start(calls_shape("s".into()).instance_id("behind")).await?;
        let hub = hub.crash().await?;
        let record = hub.instance("behind")?.wait_for_completion().await?;
        assert_eq!(record.runtime_status, RuntimeStatus::Failed);
        hub.shutdown().await?;

        let hub = open(&store, Code::Old).await?;
        hub.settle().await;
        assert_eq!(hub.call_entity(OldShape::at("s").add(0)).await?, COUNT + 1, "{code:?}");
        hub.shutdown().await?;
    }
    Ok(())
}

/// Deleting needs no state. Signals that waited find the entity as if it had never existed.
#[tokio::test]
async fn an_entity_whose_state_cannot_be_read_can_be_deleted() -> Result<()> {
    for (code, count) in [(Code::New, 5), (Code::New, 9000), (Code::None, 5), (Code::None, 9000)] {
        let store = memory();
        let hub = open(&store, Code::Old).await?;
        hub.call_entity(OldShape::at("s").add(100)).await?;
        hub.shutdown().await?;
        let hub = open(&store, code).await?;
        hub.start(sends("s".into(), count)).await?.result().await?;
        hub.settle().await;
        hub.delete_entity(shape("s")?).await?;
        hub.settle().await;
        if code == Code::New {
            let waited = hub.call_entity(NewShape::at("s").add(0)).await?;
            assert_eq!(waited, count);
        } else {
            hub.shutdown().await?;
            let hub = open(&store, Code::Old).await?;
            hub.settle().await;
            assert_eq!(hub.call_entity(OldShape::at("s").add(0)).await?, count);
        }
    }
    Ok(())
}

/// This also holds if the code has an operation with that name, which would need the state.
#[tokio::test]
async fn an_unreadable_entity_is_gone_when_its_deletion_is_acknowledged() -> Result<()> {
    let store = memory();
    let hub = open(&store, Code::Old).await?;
    hub.call_entity(OldShape::at("s").add(100)).await?;
    hub.shutdown().await?;
    let hub = open(&store, Code::OwnDelete).await?;
    hub.call_entity(OwnDelete::at("s").delete()).await.unwrap_err();
    hub.delete_entity(OwnDelete::at("s")).await?;
    assert!(hub.entity_state::<OwnDelete>("s").await?.is_none());
    Ok(hub.shutdown().await?)
}

/// A signal that was sent before a deletion, in the same batch, is carried out after it.
#[tokio::test]
async fn a_deletion_by_signal_comes_after_the_signals_before_it() -> Result<()> {
    let store = memory();
    let hub = open(&store, Code::Old).await?;
    hub.call_entity(OldShape::at("s").add(100)).await?;
    hub.shutdown().await?;
    let hub = open(&store, Code::New).await?;
    let holder = hub.start(holds_shape("s".into())).await?;
    hub.settle().await;
    hub.start(sends("s".into(), 3)).await?.result().await?;
    hub.signal_entity(shape("s")?.operation::<()>("delete", &())).await?;
    hub.settle().await;
    holder.raise_event("go on", &()).await?;
    hub.settle().await;
    let state = hub.entity_state::<NewShape>("s").await?;
    assert_eq!(state.map(|shape| shape.total), Some(3));
    Ok(hub.shutdown().await?)
}

/// The first signal that a client sends to such an entity is stored when it is acknowledged.
#[tokio::test]
async fn a_signal_that_must_wait_is_acknowledged_and_kept() -> Result<()> {
    let store = memory();
    let hub = open(&store, Code::Old).await?;
    hub.call_entity(OldShape::at("s").add(100)).await?;
    hub.shutdown().await?;
    let hub = open(&store, Code::New).await?;
    for _ in 0..3 {
        hub.signal_entity(NewShape::at("s").add(1)).await?;
    }
    hub.crash().await?.shutdown().await?;
    let hub = open(&store, Code::Old).await?;
    hub.settle().await;
    assert_eq!(hub.call_entity(OldShape::at("s").add(0)).await?, 103);
    Ok(hub.shutdown().await?)
}
