//! Long queues of an entity: order, memory, and that other entities are not delayed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use durable::protocol::{PartitionId, Timestamp};
use durable::store::MemoryStore;

use super::*;

/// After this much real time, a test is considered to hang.
const PATIENCE: Duration = Duration::from_mins(1);

#[orchestrator]
async fn floods(ctx: &OrchestrationContext, key: String, count: i64) -> Result<()> {
    for n in 0..count {
        Tally::at(&key).note(n).signal()?;
    }
    Ok(())
}

#[orchestrator]
async fn holds(ctx: &OrchestrationContext, key: String, minutes: u64) -> Result<()> {
    let mut tally = ctx.lock_entities(Tally::at(&key)).await?;
    tally.note(-1).await?;
    ctx.create_timer(Duration::from_mins(minutes)).await;
    tally.note(-2).await?;
    Ok(())
}

/// More signals than are kept in memory wait behind a lock, across crashes, and are then carried
/// out in order.
#[tokio::test]
async fn a_queue_longer_than_memory_keeps_its_order() -> Result<()> {
    const COUNT: i64 = 10_000;
    let mut hub = TestHub::builder().configure(|hub| hub.verify_replay(false)).open().await?;
    let holder = hub.start(holds("flood".into(), 60).instance_id("holder")).await?;
    hub.settle().await;
    hub.start(floods("flood".into(), COUNT)).await?.result().await?;
    hub.settle().await;
    assert_eq!(hub.call_entity(Tally::at("calm").add(1)).await?, 1, "others go on");
    drop(holder);
    hub = hub.crash().await?;
    hub.settle().await;
    hub.signal_entity(Tally::at("flood").note(COUNT)).await?;
    hub.advance(Duration::from_hours(2)).await;
    let seen = hub.call_entity(Tally::at("flood").seen()).await?;
    let expected: Vec<_> = [-1, -2].into_iter().chain(0..=COUNT).collect();
    assert!(seen == expected, "{} seen", seen.len());
    Ok(hub.shutdown().await?)
}

#[orchestrator]
async fn floods_later(ctx: &OrchestrationContext, key: String, count: i64) -> Result<()> {
    for n in 0..count {
        Tally::at(&key).note(n).signal_at(Duration::from_hours(1))?;
    }
    Ok(())
}

/// More signals than are kept in memory become due at one moment, and wait behind a lock.
#[tokio::test]
async fn a_flood_of_due_signals_waits_in_the_store_and_takes_effect_once() -> Result<()> {
    const COUNT: i64 = 6000;
    let store = Arc::new(MemoryStore::default());
    let shared: Arc<dyn Store> = Arc::clone(&store) as _;
    let mut hub = TestHub::builder()
        .configure(|hub| hub.partitions(1).store(shared).verify_replay(false))
        .open()
        .await?;
    hub.start(floods_later("due".into(), COUNT)).await?.result().await?;
    hub.start(holds("due".into(), 120)).await?;
    hub.advance(Duration::from_mins(90)).await;
    let partition = PartitionId(0);
    let kept = store.due(partition, None, Timestamp::MAX, 20_000)?.len();
    assert!(kept < 5000, "{kept} signals are kept, which wait in memory, too");
    hub = hub.crash().await?;
    hub.settle().await;
    hub.signal_entity(Tally::at("due").note(COUNT)).await?;
    hub.advance(Duration::from_hours(1)).await;
    let mut seen = hub.call_entity(Tally::at("due").seen()).await?;
    assert_eq!(seen[..2], [-1, -2]);
    seen[2..].sort_unstable();
    assert!(seen[2..].iter().copied().eq(0..=COUNT), "{} seen", seen.len());
    assert!(store.due(partition, None, Timestamp::MAX, 1)?.is_empty());
    Ok(hub.shutdown().await?)
}

#[tokio::test]
async fn a_call_waits_behind_what_was_signalled_before() -> Result<()> {
    let hub = TestHub::builder().configure(|hub| hub.verify_replay(false)).open().await?;
    hub.start(holds("behind".into(), 60)).await?;
    hub.settle().await;
    hub.start(floods("behind".into(), 6000)).await?.result().await?;
    hub.settle().await;
    // Virtual time passes, because a client waits for the result.
    assert_eq!(hub.call_entity(Tally::at("behind").seen()).await?.len(), 6002);
    Ok(hub.shutdown().await?)
}

#[orchestrator]
async fn calls_calm(ctx: &OrchestrationContext, count: i64) -> Result<i64> {
    let mut sum = 0;
    for n in 0..count {
        sum += Tally::at(format!("calm-{n}")).add(1).await?;
    }
    Ok(sum)
}

static MAY_END: AtomicBool = AtomicBool::new(false);

/// As long as the queue must not end, each operation appends another one.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Endless {
    done: i64,
}

#[entity]
impl Endless {
    fn again(&mut self, ctx: &EntityContext) -> Result<()> {
        self.done += 1;
        if MAY_END.load(Ordering::SeqCst) {
            return Ok(());
        }
        ctx.signal(Self::at("hot").again())
    }

    fn done(&self) -> i64 {
        self.done
    }
}

#[orchestrator]
async fn fills_endless(ctx: &OrchestrationContext, count: i64) -> Result<()> {
    for _ in 0..count {
        Endless::at("hot").again().signal()?;
    }
    Ok(())
}

/// Many signals to one entity do not keep the calls of others waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_entities_are_answered_before_a_long_queue_is_done() -> Result<()> {
    let count = if seed::is_long() { 25_000 } else { 5000 };
    let hub = TaskHub::builder().in_memory().open().await?;
    for _ in 0..4 {
        hub.start(fills_endless(count)).await?.result().await?;
    }
    let others = async {
        assert_eq!(hub.call_entity(Tally::at("calm-client").add(1)).await?, 1);
        assert_eq!(hub.start(calls_calm(10)).await?.result().await?, 10);
        Ok::<_, Error>(())
    };
    let others = tokio::time::timeout(PATIENCE, others).await;
    MAY_END.store(true, Ordering::SeqCst);
    others.expect("others wait for a queue that does not end")?;
    assert!(hub.call_entity(Endless::at("hot").done()).await? >= 4 * count);
    Ok(hub.shutdown().await?)
}
