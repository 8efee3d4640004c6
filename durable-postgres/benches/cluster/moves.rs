//! How long the entities of a partition pause while it moves to a process that joins.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use durable::EntityId;
use durable::prelude::*;
use durable::protocol::PartitionId;
use tokio::time::Instant;

use super::server::Cluster;
use super::workers::{Counter, Worker, balanced, open};

const PARTITIONS: u16 = 16;

pub(crate) async fn run(cluster: &Cluster, runs: usize) -> Result<()> {
    let url = cluster.url();
    let hub = open(&url, None, PARTITIONS).await?;
    let stays = Worker::start(&url, "stays")?;
    let (mut usual, mut pauses) = (Vec::new(), Vec::new());
    for run in 0..runs {
        balanced(&hub, 1).await?;
        let is_over = Arc::new(AtomicBool::new(false));
        let callers = (0..PARTITIONS).map(|partition| {
            tokio::spawn(call(hub.clone(), PartitionId(partition), Arc::clone(&is_over)))
        });
        let callers: Vec<_> = callers.collect();
        let joins = Worker::start(&url, format!("joins-{run}"))?;
        balanced(&hub, 2).await?;
        let members = hub.members().await?;
        is_over.store(true, Ordering::Release);
        for (partition, caller) in (0..PARTITIONS).map(PartitionId).zip(callers) {
            let mut times = caller.await??;
            times.sort_unstable();
            let moved = members.owner(partition).is_some_and(|owner| owner.node.name == joins.name);
            usual.extend(times.get(times.len() / 2));
            pauses.extend(times.last().filter(|_| moved));
        }
        joins.leave().await?;
    }
    super::report("a call, usually (medians)         ", usual);
    super::report("the longest call of a moving partition", pauses);
    stays.leave().await?;
    Ok(hub.shutdown().await?)
}

/// Calls an entity of a partition again and again, and returns how long each call took.
async fn call(
    hub: TaskHub,
    partition: PartitionId,
    is_over: Arc<AtomicBool>,
) -> Result<Vec<Duration>> {
    let keys = (0..).map(|number: u64| number.to_string());
    let is_there = |key: &String| {
        let id = EntityId::new("counter", key);
        id.is_ok_and(|id| PartitionId::of(id.instance_id(), PARTITIONS) == partition)
    };
    let key = keys.into_iter().find(is_there).unwrap_or_default();
    let mut times = Vec::new();
    while !is_over.load(Ordering::Acquire) {
        let begun = Instant::now();
        hub.call_entity(Counter::at(&key).add()).await?;
        times.push(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(times)
}
