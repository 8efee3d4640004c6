//! Shadow replay, patches, and replay before opening.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use durable::__private_0_1::Definition;
use durable::Orchestrator;
use durable::client::{OpenError, ResultError, TaskHubBuilder, VersionMatch};
use durable::prelude::*;
use durable::store::{MemoryStore, Store};
use tokio::sync::Semaphore;

#[activity]
async fn store(n: u32) -> Result<u32> {
    Ok(n)
}

/// A kind of clock, hidden in a function that no attribute looks into.
fn hidden_counter() -> u32 {
    thread_local! {
        static COUNTER: Cell<u32> = const { Cell::new(0) };
    }
    COUNTER.replace(COUNTER.get() + 1)
}

#[orchestrator]
async fn other_input(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(store(hidden_counter()).await?)
}

#[orchestrator]
async fn other_result(ctx: &OrchestrationContext) -> Result<u32> {
    store(1).await?;
    Ok(hidden_counter())
}

#[orchestrator]
async fn other_request(ctx: &OrchestrationContext) -> Result<u32> {
    store(1).await?;
    if hidden_counter().is_multiple_of(2) { Ok(store(2).await?) } else { Ok(1) }
}

#[activity]
async fn prices() -> HashMap<u32, u32> {
    (0..16).map(|n| (n, n)).collect()
}

/// No rule sees the type of the returned value.
#[orchestrator]
async fn other_order(ctx: &OrchestrationContext) -> Result<u32> {
    for n in prices().await?.into_values() {
        store(n).await?;
    }
    Ok(1)
}

#[orchestrator]
async fn the_same_twice(ctx: &OrchestrationContext) -> Result<Vec<String>> {
    let guids = (0..2).map(|_| ctx.new_guid().to_string()).collect();
    durable::try_join_all((0..3).map(store)).await?;
    Ok(guids)
}

fn builder() -> TaskHubBuilder {
    TaskHub::builder()
        .only_registered()
        .register::<store>()
        .register::<other_input>()
        .register::<other_result>()
        .register::<other_request>()
        .register::<prices>()
        .register::<other_order>()
        .register::<the_same_twice>()
        .verify_replay(true)
}

#[tokio::test]
async fn nondeterministic_code_is_found_when_its_episode_is_first_verified() -> Result<()> {
    let hub = builder().in_memory().partitions(1).open().await?;
    for (call, difference) in [
        (hub.start(other_input()).await?.result().await, "requests activity `store` with "),
        (hub.start(other_order()).await?.result().await, "requests activity `store` with "),
        (hub.start(other_result()).await?.result().await, "has returned with "),
        (hub.start(other_request()).await?.result().await, "replay"),
    ] {
        let Err(ResultError::Suspended(suspension)) = call else { panic!("{call:?}") };
        assert_eq!(suspension.code.as_deref().unwrap(), "DURABLE0104", "{suspension}");
        assert!(suspension.reason.contains(difference), "{suspension}");
        assert!(suspension.reason.contains("behaved differently"), "{suspension}");
    }
    hub.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn deterministic_code_passes_the_verification() -> Result<()> {
    let hub = builder().in_memory().open().await?;
    let guids = hub.start(the_same_twice()).await?.result().await?;
    assert_ne!(guids[0], guids[1]);
    hub.shutdown().await?;
    Ok(())
}

/// Holds an instance until the test lets it go.
#[activity]
async fn shop_gate(shop_gate: State<Arc<Semaphore>>) -> Result<()> {
    shop_gate.acquire().await?.forget();
    Ok(())
}

#[orchestrator]
async fn gated_shop(ctx: &OrchestrationContext) -> Result<u32> {
    shop_gate().await?;
    Ok(store(1).await?)
}

/// `shop`, changed so that running instances continue as before.
#[orchestrator]
async fn patched_shop(ctx: &OrchestrationContext) -> Result<u32> {
    if ctx.patched("store-first") {
        store(7).await?;
    }
    shop_gate().await?;
    Ok(store(if ctx.patched("store-first") { 2 } else { 1 }).await?)
}

/// `shop`, changed carelessly.
#[orchestrator]
async fn broken_shop(ctx: &OrchestrationContext) -> Result<u32> {
    store(7).await?;
    shop_gate().await?;
    Ok(store(2).await?)
}

struct Patched;

stand_in!(Patched for patched_shop, name: "gated_shop");

struct Broken;

stand_in!(Broken for broken_shop, name: "gated_shop");

/// A hub in which an instance of `shop` waits at the gate.
async fn waiting_shop(open: &Arc<Semaphore>) -> Result<Arc<dyn Store>> {
    let memory: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let hub = shops(&memory, open).register::<gated_shop>().open().await?;
    hub.start(gated_shop().instance_id("old")).await?;
    drop(hub);
    Ok(memory)
}

fn shops(memory: &Arc<dyn Store>, open: &Arc<Semaphore>) -> TaskHubBuilder {
    TaskHub::builder()
        .store(Arc::clone(memory))
        .only_registered()
        .register::<store>()
        .register::<shop_gate>()
        .state(Arc::clone(open))
}

#[tokio::test]
async fn a_patch_runs_in_new_instances_and_not_in_old_ones() -> Result<()> {
    let open = Arc::new(Semaphore::new(0));
    let memory = waiting_shop(&open).await?;
    let hub = shops(&memory, &open).register::<Patched>().live_instances(0).open().await?;
    let old = hub.find_instance::<gated_shop>("old").await?.expect("it waits");
    let new = hub.start(gated_shop().instance_id("new")).await?;
    open.add_permits(2);
    assert_eq!((old.result().await?, new.result().await?), (1, 2));
    hub.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn opening_with_changed_code_lists_the_instances_that_would_be_suspended() -> Result<()> {
    let open = Arc::new(Semaphore::new(0));
    let memory = waiting_shop(&open).await?;
    let opened = shops(&memory, &open).register::<Broken>().verify_on_open(true).open().await;
    let Err(OpenError::IncompatibleInstances(stuck)) = &opened else { panic!("{opened:?}") };
    let [(id, suspension)] = &stuck[..] else { panic!("{stuck:?}") };
    assert_eq!((id.as_str(), suspension.code.as_deref().unwrap()), ("old", "DURABLE0101"));

    let hub = shops(&memory, &open).register::<Patched>().verify_on_open(true).open().await?;
    open.add_permits(1);
    let old = hub.find_instance::<gated_shop>("old").await?.expect("it waits");
    assert_eq!(old.result().await?, 1);
    hub.shutdown().await?;
    Ok(())
}

#[orchestrator(name = "parcel", version = "1.9")]
async fn parcel(ctx: &OrchestrationContext) -> Result<u32> {
    shop_gate().await?;
    Ok(store(1).await?)
}

#[orchestrator(name = "parcel", version = "1.10")]
async fn newer_parcel(ctx: &OrchestrationContext) -> Result<u32> {
    shop_gate().await?;
    Ok(store(2).await?)
}

/// The result of an instance of `O` if only the other version `P` is registered.
async fn gone_on<O, P>(call: durable::Call<O>, strategy: VersionMatch) -> Result<Option<u32>>
where
    O: Orchestrator<Output = u32>,
    P: Definition,
{
    let open = Arc::new(Semaphore::new(0));
    let memory: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let hub = shops(&memory, &open).register::<O>().open().await?;
    hub.start(call.instance_id("parcel-1")).await?;
    hub.shutdown().await?;
    open.add_permits(1);
    let hub = shops(&memory, &open).register::<P>().version_match(strategy).open().await?;
    let run = hub.find_instance::<O>("parcel-1").await?.expect("it was started");
    let result = run.result().await.ok();
    hub.shutdown().await?;
    Ok(result)
}

#[tokio::test]
async fn instances_continue_with_the_version_that_the_strategy_selects() -> Result<()> {
    for (strategy, from_older, from_newer) in [
        (VersionMatch::Strict, None, None),
        (VersionMatch::CurrentOrOlder, Some(2), None),
        (VersionMatch::None, Some(2), Some(1)),
    ] {
        assert_eq!(gone_on::<_, newer_parcel>(parcel(), strategy).await?, from_older);
        assert_eq!(gone_on::<_, parcel>(newer_parcel(), strategy).await?, from_newer);
    }
    Ok(())
}
