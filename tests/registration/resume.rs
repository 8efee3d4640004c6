//! Instances that continue: after a restart, after an eviction, and with changed code.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use durable::RuntimeStatus;
use durable::client::{ResultError, TaskHubBuilder};
use durable::prelude::*;
use durable::protocol::{
    EventKind, ExecutionId, ExecutionStarted, InstanceId, Json, MessageId, PartitionId, TaskMessage,
};
use durable::store::{Commit, MemoryStore, Store};

#[derive(Default)]
struct Runs {
    recorded_steps: AtomicU32,
    blocked: AtomicU32,
}

/// Fails by cancelling itself once the permitted number of steps was taken.
#[activity]
async fn recorded_step(
    ctx: &ActivityContext,
    runs: State<Arc<Runs>>,
    n: u32,
    stop_at: u32,
) -> Result<u32> {
    if n == stop_at && runs.blocked.fetch_add(1, Ordering::SeqCst) == 0 {
        ctx.cancellation_token().cancelled().await;
        return Err(Error::msg("cut off"));
    }
    runs.recorded_steps.fetch_add(1, Ordering::SeqCst);
    Ok(n)
}

#[orchestrator]
async fn recorded_steps(ctx: &OrchestrationContext, count: u32, stop_at: u32) -> Result<u32> {
    let mut sum = 0;
    for n in 0..count {
        sum += recorded_step(n, stop_at).await?;
    }
    Ok(sum)
}

fn builder(store: &Arc<dyn Store>, runs: &Arc<Runs>) -> TaskHubBuilder {
    TaskHub::builder()
        .store(Arc::clone(store))
        .only_registered()
        .register::<recorded_steps>()
        .register::<recorded_step>()
        .state(Arc::clone(runs))
}

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::default())
}

#[tokio::test]
async fn recorded_work_is_not_repeated_after_a_restart() -> Result<()> {
    let (store, runs) = (memory(), Arc::new(Runs::default()));
    let hub = builder(&store, &runs).open().await?;
    let run = hub.start(recorded_steps(10, 5).instance_id("ten")).await?;
    while runs.blocked.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    hub.shutdown().await?;
    assert_eq!(runs.recorded_steps.load(Ordering::SeqCst), 5);

    let hub = builder(&store, &runs).open().await?;
    let run =
        hub.find_instance::<recorded_steps>(run.instance_id().as_str()).await?.expect("it is kept");
    assert_eq!(run.result().await?, 45);
    assert_eq!(runs.recorded_steps.load(Ordering::SeqCst), 10);
    hub.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn evicted_instances_replay_and_continue() -> Result<()> {
    let (store, runs) = (memory(), Arc::new(Runs::default()));
    let hub = builder(&store, &runs).live_instances(0).partitions(1).open().await?;
    let mut started = Vec::new();
    for _ in 0..20 {
        started.push(hub.start(recorded_steps(20, 99)).await?);
    }
    for run in started {
        assert_eq!(run.result().await?, 190);
    }
    assert_eq!(runs.recorded_steps.load(Ordering::SeqCst), 400);
    hub.shutdown().await?;
    Ok(())
}

#[orchestrator]
async fn shop(ctx: &OrchestrationContext) -> Result<u32> {
    recorded_step(0, 99).await?;
    Ok(recorded_step(1, 1).await?)
}

#[orchestrator]
async fn changed_shop(ctx: &OrchestrationContext) -> Result<u32> {
    other().await?;
    Ok(recorded_step(1, 1).await?)
}

/// `shop` after a change of its code. Both are in one program here, so this one has no attribute
/// with that name.
struct ShopChanged;

stand_in!(ShopChanged for changed_shop, name: "shop");

#[activity]
async fn other() {}

#[tokio::test]
async fn a_mismatch_suspends_the_instance_until_the_code_fits_again() -> Result<()> {
    let (store, runs) = (memory(), Arc::new(Runs::default()));
    let old = || builder(&store, &runs).register::<shop>();
    let new = || builder(&store, &runs).register::<ShopChanged>().register::<other>();
    let hub = old().open().await?;
    hub.start(shop().instance_id("shop-1")).await?;
    while runs.blocked.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    hub.shutdown().await?;

    for _ in 0..2 {
        let hub = new().open().await?;
        let run = hub.find_instance::<shop>("shop-1").await?.expect("it is kept");
        let Err(ResultError::Suspended(suspension)) = run.result().await else {
            panic!("it does not fit")
        };
        assert_eq!(suspension.code.as_deref().unwrap(), "DURABLE0101");
        let said = suspension.to_string();
        for part in [
            "orchestration `shop` (instance `shop-1`) no longer does what its history recorded",
            "event 3 recorded     activity `recorded_step`, requested at tests/registration/resume.rs:",
            "this replay          requests activity `other`",
            "the orchestrator's code was changed while this instance was running",
        ] {
            assert!(said.contains(part), "{said}");
        }
        assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Suspended);
        let suspended = |event: &durable::protocol::HistoryEvent| {
            matches!(event.kind, EventKind::ExecutionSuspended { .. })
        };
        assert_eq!(run.history().await?.iter().filter(|e| suspended(e)).count(), 1);
        hub.shutdown().await?;
    }

    let hub = old().open().await?;
    let run = hub.find_instance::<shop>("shop-1").await?.expect("it is kept");
    assert_eq!(run.result().await?, 1);
    let resumed = run.history().await?;
    assert!(resumed.iter().any(|e| matches!(e.kind, EventKind::ExecutionResumed { .. })));
    hub.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn an_instance_whose_code_is_gone_waits_for_it() -> Result<()> {
    let (store, runs) = (memory(), Arc::new(Runs::default()));
    let hub = builder(&store, &runs).register::<shop>().open().await?;
    hub.start(shop().instance_id("shop-1")).await?;
    hub.shutdown().await?;

    let hub = builder(&store, &runs).open().await?;
    let run = hub.find_instance::<shop>("shop-1").await?.expect("it is kept");
    let said = run.result().await.unwrap_err().to_string();
    assert!(said.contains("DURABLE0103: orchestration `shop`"), "{said}");
    assert!(said.contains("registered           `recorded_steps`"), "{said}");
    hub.shutdown().await?;

    let hub = builder(&store, &runs).register::<shop>().open().await?;
    let run = hub.find_instance::<shop>("shop-1").await?.expect("it is kept");
    while runs.blocked.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Running);
    hub.shutdown().await?;
    Ok(())
}

#[orchestrator]
async fn foreign(ctx: &OrchestrationContext) -> Result<u32> {
    let n = recorded_step(0, 99).await?;
    let sleep = async_sleep(n);
    // Hidden from the check of the attribute, which would reject it.
    durable::__private_0_1::durable_block(sleep).await;
    Ok(n)
}

async fn async_sleep(seconds: u32) {
    tokio::time::sleep(std::time::Duration::from_secs(seconds.into())).await;
}

#[tokio::test]
async fn an_await_of_a_foreign_future_suspends_the_instance() -> Result<()> {
    let (store, runs) = (memory(), Arc::new(Runs::default()));
    let hub = builder(&store, &runs).register::<foreign>().open().await?;
    let run = hub.start(foreign()).await?;
    let said = run.result().await.unwrap_err().to_string();
    assert!(said.contains("DURABLE0102: orchestration `foreign`"), "{said}");
    hub.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn a_start_that_another_process_left_in_the_store_is_found() -> Result<()> {
    let (store, runs) = (memory(), Arc::new(Runs::default()));
    builder(&store, &runs).open().await?.shutdown().await?;
    let instance_id = InstanceId::new("from-elsewhere")?;
    let partition = PartitionId::of(&instance_id, 4);
    let input = Json::parse("[3, 99]")?;
    let started = ExecutionStarted::new("recorded_steps", None, input, ExecutionId::generate());
    let mut commit = Commit::default();
    let message = TaskMessage::new(MessageId::generate(), instance_id, started.into());
    commit.messages.push((partition, message));
    store.commit(&commit)?;

    let hub = builder(&store, &runs).open().await?;
    let run = loop {
        if let Some(run) = hub.find_instance::<recorded_steps>("from-elsewhere").await? {
            break run;
        }
    };
    assert_eq!(run.result().await?, 3);
    hub.shutdown().await?;
    assert_eq!(store.messages(partition, None, 0..u64::MAX, 1)?, []);
    Ok(())
}

/// Collects numbers that other instances send.
#[orchestrator]
async fn collects_messages(ctx: &OrchestrationContext, count: u32) -> Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for _ in 0..count {
        numbers.push(ctx.wait_for_external_event::<u32>("Number").await?);
    }
    Ok(numbers)
}

#[tokio::test]
async fn thousands_of_stored_messages_arrive_once_and_in_order() -> Result<()> {
    const COUNT: u32 = 2_500;
    let store = memory();
    let builder = || {
        let builder = TaskHub::builder().store(Arc::clone(&store)).partitions(1);
        builder.only_registered().register::<collects_messages>()
    };
    let hub = builder().open().await?;
    let ids = ["one", "other"];
    for id in ids {
        hub.start(collects_messages(COUNT).instance_id(id)).await?;
    }
    hub.shutdown().await?;
    let mut commit = Commit::default();
    for (number, id) in (0..COUNT).flat_map(|number| ids.map(|id| (number, id))) {
        let instance_id = InstanceId::new(id)?;
        let (name, input) = ("Number".to_owned(), Json::parse(&number.to_string())?);
        let event = EventKind::EventRaised { name, input };
        let message = TaskMessage::new(MessageId::generate(), instance_id, event);
        commit.messages.push((PartitionId(0), message));
    }
    store.commit(&commit)?;

    let hub = builder().open().await?;
    for id in ids {
        let run = hub.find_instance::<collects_messages>(id).await?.expect("it was started");
        assert_eq!(run.result().await?, (0..COUNT).collect::<Vec<_>>());
    }
    hub.shutdown().await?;
    assert_eq!(store.messages(PartitionId(0), None, 0..u64::MAX, 1)?, []);
    Ok(())
}
