//! Scale: ten thousand children, events and waits; a hundred thousand events in a history.
#![allow(clippy::disallowed_methods, reason = "what is measured here is real time")]
#![allow(clippy::cast_precision_loss, reason = "only printed")]

use std::collections::BTreeSet;
use std::time::Instant;

use durable::TaskHub;
use durable::client::InstanceQuery;
use durable::prelude::*;

use crate::common::{World, fast_hub, on_every_hub, patiently};

#[activity]
async fn one_more(n: u64) -> u64 {
    n + 1
}

#[orchestrator]
async fn leaf_of_many(ctx: &OrchestrationContext, n: u64) -> Result<u64> {
    Ok(n)
}

#[orchestrator]
async fn many_children(ctx: &OrchestrationContext, count: u64) -> Result<u64> {
    Ok(durable::try_join_all((0..count).map(leaf_of_many)).await?.into_iter().sum())
}

async fn children(hub: &TaskHub, count: u64) -> Result<()> {
    let began = Instant::now();
    let run = hub.start(many_children(count)).await?;
    assert_eq!(run.result().await?, (0..count).sum::<u64>());
    let took = began.elapsed().as_secs_f64();
    println!("{count} children: {took:.2} s, {:.1} us each", took * 1e6 / count as f64);
    assert_eq!(hub.count(&InstanceQuery::new().of::<leaf_of_many>()).await?, count);
    Ok(())
}

#[tokio::test]
async fn ten_thousand_children_run_in_memory_and_in_a_folder() -> Result<()> {
    patiently(async {
        for count in [1_000, 10_000] {
            children(&*fast_hub().await?, count).await?;
            let folder = tempfile::tempdir()?;
            let hub = TaskHub::builder().state(World::default()).path(folder.path());
            let hub = hub.open().await?;
            children(&hub, count).await?;
            hub.shutdown().await?;
        }
        Ok(())
    })
    .await
}

#[orchestrator]
async fn reads_many(ctx: &OrchestrationContext, count: usize) -> Result<usize> {
    ctx.wait_for_external_event::<()>("go").await?;
    let mut seen = BTreeSet::new();
    for _ in 0..count {
        seen.insert(ctx.wait_for_external_event::<u64>("n").await?);
    }
    Ok(seen.len())
}

async fn buffered(count: u64, raisers: u64) -> Result<()> {
    let hub = fast_hub().await?;
    let run = hub.start(reads_many(usize::try_from(count)?)).await?;
    let began = Instant::now();
    let mut tasks = Vec::new();
    for raiser in 0..raisers {
        let run = run.clone();
        tasks.push(tokio::spawn(async move {
            for n in 0..count / raisers {
                run.raise_event("n", &(raiser * count + n)).await?;
            }
            Ok::<_, Error>(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    let raised = began.elapsed().as_secs_f64();
    run.raise_event("go", &()).await?;
    assert_eq!(run.result().await? as u64, count);
    let read = began.elapsed().as_secs_f64() - raised;
    println!(
        "{count} buffered events from {raisers} tasks: {:.1} us each to raise, {:.1} us to read",
        raised * 1e6 / count as f64,
        read * 1e6 / count as f64
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_events_from_a_hundred_tasks_are_each_read_once() -> Result<()> {
    patiently(async {
        buffered(1_000, 100).await?;
        buffered(10_000, 100).await?;
        let is_long = std::env::var_os("DURABLE_LONG").is_some();
        if is_long { buffered(1_000_000, 100).await } else { Ok(()) }
    })
    .await
}

/// In real time, so that each step has its own. The benchmark `sequence` measures whether steps get
/// slower.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_of_a_hundred_thousand_events_is_written_and_replayed() -> Result<()> {
    patiently(async {
        let store = std::sync::Arc::new(durable::store::MemoryStore::default());
        let open = || {
            let store = store.clone();
            TaskHub::builder().state(World::default()).store(store).open()
        };
        let hub = open().await?;
        let run = hub.start(long_then_waits(33_000).instance_id("long")).await?;
        let history = loop {
            if run.custom_status::<String>().await?.is_some() {
                break run.history().await?;
            }
            tokio::task::yield_now().await;
        };
        let times: Vec<_> = history.iter().map(|event| event.timestamp.to_datetime()).collect();
        let len = times.len();
        let first = (times[4_000] - times[1_000]).num_microseconds().unwrap_or(0);
        let last = (times[len - 1] - times[len - 3_001]).num_microseconds().unwrap_or(0);
        println!("{len} events: the first 1,000 steps {first} us, the last {last} us");
        hub.shutdown().await?;

        let hub = open().await?;
        let began = Instant::now();
        hub.instance("long")?.raise_event("go", &()).await?;
        let run = hub.find_instance::<long_then_waits>("long").await?.unwrap();
        assert_eq!(run.result().await?, 33_000);
        println!("replayed after a restart in {:.3} s", began.elapsed().as_secs_f64());
        Ok(hub.shutdown().await?)
    })
    .await
}

#[orchestrator]
async fn long_then_waits(ctx: &OrchestrationContext, steps: u64) -> Result<u64> {
    let mut n = 0;
    while n < steps {
        n = one_more(n).await?;
    }
    ctx.set_custom_status(&"done")?;
    ctx.wait_for_external_event::<()>("go").await?;
    Ok(n)
}

#[orchestrator]
async fn fifty_at_once(ctx: &OrchestrationContext, count: u64) -> Result<u64> {
    Ok(durable::try_join_all((0..count).map(one_more)).at_most(50).await?.into_iter().sum())
}

#[orchestrator]
async fn all_as_completed(ctx: &OrchestrationContext, count: u64) -> Result<u64> {
    let (mut sum, mut tasks) = (0, durable::as_completed((0..count).map(one_more)));
    while let Some((_, n)) = tasks.next().await {
        sum += n?;
    }
    Ok(sum)
}

#[orchestrator]
async fn many_timers(ctx: &OrchestrationContext, count: u32) -> Result<u32> {
    let timers = (0..count).map(|n| ctx.create_timer(crate::common::SECOND * (n % 100)));
    Ok(u32::try_from(durable::join_all(timers).await.len())?)
}

#[tokio::test]
async fn ten_thousand_activities_and_timers_are_joined_in_every_way() -> Result<()> {
    patiently(async {
        let hub = fast_hub().await?;
        let expected = (1..=10_000).sum::<u64>();
        let began = Instant::now();
        assert_eq!(hub.start(fifty_at_once(10_000)).await?.result().await?, expected);
        let bounded = began.elapsed();
        assert_eq!(hub.start(all_as_completed(10_000)).await?.result().await?, expected);
        let completed = began.elapsed();
        assert_eq!(hub.start(many_timers(10_000)).await?.result().await?, 10_000);
        let timers = began.elapsed();
        println!("until at_most(50): {bounded:?}, as_completed: {completed:?}, timers: {timers:?}");
        Ok(())
    })
    .await
}

#[orchestrator]
async fn nested(ctx: &OrchestrationContext, depth: u32) -> Result<u32> {
    if depth == 0 {
        return Ok(0);
    }
    Ok(nested(depth - 1).await? + 1)
}

#[tokio::test]
async fn children_of_children_go_two_hundred_deep() -> Result<()> {
    on_every_hub(async |hub, _| {
        let run = hub.start(nested(200)).await?;
        assert_eq!(run.result().await?, 200);
        assert_eq!(run.purge_recursively().await?, 201);
        Ok(())
    })
    .await
}

#[orchestrator]
async fn many_guids(ctx: &OrchestrationContext, count: usize) -> Result<usize> {
    let mut all: BTreeSet<_> = (0..count).map(|_| ctx.new_guid()).collect();
    one_more(1).await?;
    all.extend((0..count).map(|_| ctx.new_guid()));
    Ok(all.len())
}

#[orchestrator]
async fn dice(ctx: &OrchestrationContext) -> Result<Vec<u64>> {
    let mut dice: Vec<_> = (0..3).map(|_| ctx.random_u64()).collect();
    one_more(1).await?;
    dice.extend((0..3).map(|_| ctx.random_u64()));
    assert!((0.0..1.0).contains(&ctx.random_f64()));
    Ok(dice)
}

#[tokio::test]
async fn guids_and_random_numbers_differ_and_are_the_same_in_a_replay() -> Result<()> {
    on_every_hub(async |hub, _| {
        assert_eq!(hub.start(many_guids(10_000)).await?.result().await?, 20_000);
        let (one, other) = (hub.start(dice()).await?, hub.start(dice()).await?);
        let all: BTreeSet<_> =
            one.result().await?.into_iter().chain(other.result().await?).collect();
        assert_eq!(all.len(), 12);
        Ok(())
    })
    .await
}
