//! What an orchestration costs without a disk: the replay of a history, and a step through a hub
//! whose store is in memory.
//!
//! The engine itself is not public; replaying a recorded history is its public entrance.

use criterion::{Criterion, Throughput};
use durable::prelude::*;
use durable::testing::{RecordedHistory, verify_replay_with};
use tokio::runtime::Runtime;

const STEPS: u32 = 1000;

#[activity]
async fn double(n: u32) -> u32 {
    2 * n
}

#[orchestrator]
async fn sequence(ctx: &OrchestrationContext, steps: u32) -> Result<u32> {
    let mut last = 0;
    for n in 0..steps {
        last = double(n).await?;
    }
    Ok(last)
}

#[orchestrator]
async fn fan_out(ctx: &OrchestrationContext, width: u32) -> Result<u32> {
    Ok(durable::try_join_all((0..width).map(double)).await?.into_iter().sum())
}

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = Runtime::new()?;
    replay(&mut criterion, &runtime)?;
    step(&mut criterion, &runtime)?;
    criterion.final_summary();
    Ok(())
}

/// The replay of whole histories; the throughput is in events.
fn replay(criterion: &mut Criterion, runtime: &Runtime) -> Result<()> {
    let (in_turn, at_once) = runtime.block_on(async {
        let hub = TaskHub::builder().in_memory().open().await?;
        let in_turn = hub.start(sequence(STEPS)).await?;
        in_turn.result().await?;
        let at_once = hub.start(fan_out(STEPS)).await?;
        at_once.result().await?;
        let in_turn = RecordedHistory::of(&in_turn).await?;
        let at_once = RecordedHistory::of(&at_once).await?;
        hub.shutdown().await?;
        Ok::<_, Error>((in_turn, at_once))
    })?;
    verify_replay_with::<sequence>(&in_turn)?;
    verify_replay_with::<fan_out>(&at_once)?;
    let mut group = criterion.benchmark_group("replay");
    group.throughput(Throughput::Elements(in_turn.events().len() as u64));
    group.bench_function("1,000 steps in turn", |bencher| {
        bencher.iter(|| verify_replay_with::<sequence>(&in_turn));
    });
    group.throughput(Throughput::Elements(at_once.events().len() as u64));
    group.bench_function("1,000 steps at once", |bencher| {
        bencher.iter(|| verify_replay_with::<fan_out>(&at_once));
    });
    group.finish();
    Ok(())
}

/// Steps through a hub in memory, with all its threads; the throughput is in steps.
fn step(criterion: &mut Criterion, runtime: &Runtime) -> Result<()> {
    let hub = runtime.block_on(TaskHub::builder().in_memory().open())?;
    let mut group = criterion.benchmark_group("hub in memory");
    group.sample_size(20);
    group.throughput(Throughput::Elements(100));
    group.bench_function("100 steps in turn", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                hub.start(sequence(100)).await?.result().await.map_err(Error::from)
            })
        });
    });
    group.finish();
    Ok(runtime.block_on(hub.shutdown())?)
}
