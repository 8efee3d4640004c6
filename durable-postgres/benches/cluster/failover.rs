//! How long it takes until the instances of a killed process continue.

use std::collections::BTreeSet;
use std::time::Duration;

use durable::InstanceId;
use durable::prelude::*;
use durable::protocol::PartitionId;
use tokio::time::Instant;

use super::server::Cluster;
use super::workers::{Worker, balanced, called, open};

const PARTITIONS: u16 = 16;

pub(crate) async fn run(cluster: &Cluster, runs: usize) -> Result<()> {
    let url = cluster.url();
    let hub = open(&url, None, PARTITIONS).await?;
    let mut workers = vec![Worker::start(&url, "worker-0")?, Worker::start(&url, "worker-1")?];
    let (mut first, mut all) = (Vec::new(), Vec::new());
    for run in 0..runs {
        balanced(&hub, 2).await?;
        // One instance in each partition of the process that will be killed.
        let mut victim = workers.remove(0);
        let members = hub.members().await?;
        let owned = members.nodes.iter().find(|member| member.node.name == victim.name);
        let mut open: BTreeSet<PartitionId> =
            owned.map(|member| member.partitions.iter().copied().collect()).unwrap_or_default();
        let mut instances = Vec::new();
        for number in 0.. {
            if open.is_empty() {
                break;
            }
            let id = InstanceId::new(format!("called-{run}-{number}"))?;
            if open.remove(&PartitionId::of(&id, PARTITIONS)) {
                instances.push(hub.start(called().instance_id(id)).await?);
            }
        }
        // The processes renew their leases once a second; it dies at any time in between.
        tokio::time::sleep(Duration::from_millis(run as u64 * 370 % 1_000)).await;
        let killed = Instant::now();
        victim.child.kill().await?;
        let calls = instances.into_iter().map(|instance| async move {
            instance.raise_event("Call", &()).await?;
            instance.result().await?;
            Ok::<_, Error>(killed.elapsed())
        });
        let times = futures_util::future::try_join_all(calls).await?;
        first.extend(times.iter().min());
        all.extend(times.iter().max());
        eprintln!("run {run}: {:?}", times.iter().max());
        workers.push(Worker::start(&url, format!("worker-{}", run + 2))?);
    }
    super::report("failover after kill -9, first instance", first);
    super::report("failover after kill -9, all instances ", all);
    for worker in workers {
        worker.leave().await?;
    }
    Ok(hub.shutdown().await?)
}
