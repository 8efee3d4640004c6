//! Hubs that stop while operations run.

use std::sync::Arc;

use durable::client::{EntityError, HubError};
use durable::prelude::*;
use durable::store::{MemoryStore, Store};
use durable::testing::TestHub;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, Semaphore};

/// Lets a test know that an operation has begun, and lets that end.
#[derive(Debug)]
struct Gate {
    begun: Notify,
    may_end: Semaphore,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Sluggish {
    done: u64,
}

#[entity]
impl Sluggish {
    async fn work(&mut self, gate: State<Arc<Gate>>) -> u64 {
        gate.begun.notify_one();
        gate.may_end.acquire().await.expect("it is open").forget();
        self.done += 1;
        self.done
    }

    fn quick(&mut self) {
        self.done += 100;
    }

    fn done(&self) -> u64 {
        self.done
    }
}

fn gate() -> Arc<Gate> {
    Arc::new(Gate { begun: Notify::new(), may_end: Semaphore::new(0) })
}

async fn open(store: &Arc<dyn Store>, gate: &Arc<Gate>) -> Result<TaskHub> {
    let hub = TaskHub::builder().store(Arc::clone(store)).state(Arc::clone(gate));
    Ok(hub.only_registered().register_entity::<Sluggish>().open().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_waits_for_operations_and_records_them() -> Result<()> {
    let (store, gate): (Arc<dyn Store>, _) = (Arc::new(MemoryStore::default()), gate());
    let hub = open(&store, &gate).await?;
    let call = tokio::spawn({
        let hub = hub.clone();
        async move { hub.call_entity(Sluggish::at("s").work()).await }
    });
    gate.begun.notified().await;
    // Queued behind the running operation: it is stored, and carried out when the hub is opened
    // again.
    hub.signal_entity(Sluggish::at("s").quick()).await?;
    let behind = tokio::spawn({
        let hub = hub.clone();
        async move { hub.call_entity(Sluggish::at("s").work()).await }
    });
    let shutdown = tokio::spawn(hub.clone().shutdown());
    // A call that arrives in between would be answered only at the end of the shutdown.
    while hub.entity_state::<Sluggish>("other").await.is_ok() {}
    assert!(!shutdown.is_finished(), "it waits for what is running");
    gate.may_end.add_permits(1);
    shutdown.await??;
    assert_eq!(call.await??, 1, "what was waited for is recorded, so its caller is told");
    let behind = behind.await?;
    assert!(matches!(behind, Err(EntityError::Hub(HubError::ShutDown))), "{behind:?}");

    let hub = open(&store, &gate).await?;
    assert_eq!(hub.call_entity(Sluggish::at("s").done()).await?, 101);
    Ok(hub.shutdown().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_is_dropped_leaves_operations_to_the_next_one() -> Result<()> {
    let (store, gate): (Arc<dyn Store>, _) = (Arc::new(MemoryStore::default()), gate());
    for round in 0..20 {
        let hub = open(&store, &gate).await?;
        let key = round.to_string();
        let signal = hub.signal_entity(Sluggish::at(&key).quick());
        signal.await?;
        let sluggish = Sluggish::at(&key).work();
        let call = {
            let call = hub.call_entity(sluggish);
            tokio::spawn(call.into_future())
        };
        gate.begun.notified().await;
        hub.signal_entity(Sluggish::at(&key).quick()).await?;
        call.abort();
        drop(call.await);
        drop(hub);
        gate.may_end.add_permits(1);
        let hub = open(&store, &gate).await?;
        let done = hub.call_entity(Sluggish::at(&key).done()).await?;
        assert!([200, 201].contains(&done), "{done}");
        hub.shutdown().await?;
        gate.may_end.forget_permits(1);
    }
    Ok(())
}

/// Panics when it is dropped, unless that is while panicking.
#[derive(Debug, Default)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "the bomb goes off");
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Messy {
    count: u64,
}

#[entity]
impl Messy {
    async fn with_bomb(&mut self) {
        let _bomb = Bomb;
        self.count += 1;
        tokio::task::yield_now().await;
        self.count += 1;
    }

    fn with_bomb_at_once(&mut self) {
        self.count += 1;
        drop(Bomb);
    }

    fn count(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

/// Its state panics when it is dropped.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Explosive {
    count: u64,
    #[serde(skip)]
    _bomb: Bomb,
}

#[entity]
impl Explosive {
    fn count(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Large {
    text: String,
}

#[entity]
impl Large {
    fn grow(&mut self, times: usize) -> usize {
        self.text.push_str(&"x".repeat(times));
        self.text.len()
    }

    fn tell(&self) -> String {
        self.text.repeat(3)
    }
}

#[tokio::test]
async fn an_operation_that_panics_on_drop_fails_alone() -> Result<()> {
    let builder = TestHub::builder().configure(|hub| {
        let hub = hub.only_registered().register_entity::<Messy>();
        hub.register_entity::<Explosive>()
    });
    let hub = builder.open().await?;
    for round in 1..=3 {
        let messy = Messy::at("m");
        let said = hub.call_entity(messy.with_bomb()).await.unwrap_err().to_string();
        assert!(said.contains("the bomb goes off"), "{said}");
        let said = hub.call_entity(messy.with_bomb_at_once()).await.unwrap_err().to_string();
        assert!(said.contains("the bomb goes off"), "{said}");
        hub.signal_entity(messy.with_bomb()).await?;
        assert_eq!(hub.call_entity(messy.count()).await?, round, "nothing of them is left");
        // A call and a signal in each round; the state's destructor undoes neither.
        assert_eq!(hub.call_entity(Explosive::at("e").count()).await?, 2 * round - 1);
        hub.signal_entity(Explosive::at("e").count()).await?;
        assert!(hub.entity_state::<Messy>("e").await?.is_none());
    }
    Ok(hub.shutdown().await?)
}

#[tokio::test]
async fn a_state_over_the_limit_is_rejected_and_the_previous_one_stays() -> Result<()> {
    let builder = TestHub::builder()
        .configure(|hub| hub.only_registered().max_payload(2000).register_entity::<Large>());
    let hub = builder.open().await?;
    assert_eq!(hub.call_entity(Large::at("l").grow(1000)).await?, 1000);
    for _ in 0..2 {
        let said = hub.call_entity(Large::at("l").grow(1000)).await.unwrap_err().to_string();
        assert!(said.contains("the state has 2011 bytes"), "{said}");
        let said = hub.call_entity(Large::at("l").tell()).await.unwrap_err().to_string();
        assert!(said.contains("the output has 3002 bytes"), "{said}");
    }
    assert_eq!(hub.call_entity(Large::at("l").grow(1)).await?, 1001);
    Ok(hub.shutdown().await?)
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Clock {
    rings: u64,
    last: u64,
    wrong: u64,
}

#[entity]
impl Clock {
    fn ring(&mut self, minute: u64) {
        self.rings += 1;
        self.wrong += u64::from(minute < self.last);
        self.last = minute;
    }
}

#[orchestrator]
async fn sets_clock(ctx: &OrchestrationContext, count: u64) -> Result<()> {
    for n in 0..count {
        let minute = n * 7919 % 600;
        let after = std::time::Duration::from_mins(1 + minute);
        Clock::at("c").ring(minute).signal_at(after)?;
    }
    Ok(())
}

#[tokio::test]
async fn many_scheduled_signals_come_in_time_over_crashes() -> Result<()> {
    const COUNT: u64 = 6000;
    let builder = TestHub::builder().configure(|hub| {
        let hub = hub.only_registered().register_entity::<Clock>().register::<sets_clock>();
        hub.verify_replay(false)
    });
    let mut hub = builder.open().await?;
    hub.start(sets_clock(COUNT)).await?.result().await?;
    hub.settle().await;
    for n in 0..12 {
        hub.advance(std::time::Duration::from_hours(1)).await;
        let clock = hub.entity_state::<Clock>("c").await?.unwrap_or_default();
        assert_eq!((clock.rings, clock.wrong), (COUNT.min(600 * (n + 1)), 0), "after hour {n}");
        hub = hub.crash().await?;
    }
    Ok(hub.shutdown().await?)
}
