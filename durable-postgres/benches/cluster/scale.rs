//! How much more several processes do whose activities wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use durable::prelude::*;
use tokio::time;

use super::server::Cluster;
use super::workers::{AT_ONCE, WAIT, Worker, balanced, open, waiting};

const PARTITIONS: u16 = 64;

pub(crate) async fn run(cluster: &Cluster) -> Result<()> {
    let url = cluster.url();
    let hub = open(&url, None, PARTITIONS).await?;
    let (mut workers, mut alone) = (Vec::new(), 0.0);
    for count in [1_u32, 2, 4] {
        while workers.len() < usize::try_from(count)? {
            workers.push(Worker::start(&url, format!("worker-{}", workers.len()))?);
        }
        balanced(&hub, workers.len()).await?;
        let rate = rate(&hub, 2 * AT_ONCE * workers.len()).await?;
        if count == 1 {
            alone = rate;
        }
        let most = f64::from(count) * f64::from(u32::try_from(AT_ONCE)?) / WAIT.as_secs_f64();
        let ratio = rate / alone / f64::from(count);
        println!("{count} processes: {rate:.0} of {most:.0} activities/s, {ratio:.2} N");
    }
    for worker in workers {
        worker.leave().await?;
    }
    Ok(hub.shutdown().await?)
}

/// How many orchestrations end in a second, if this many are outstanding.
async fn rate(hub: &TaskHub, outstanding: usize) -> Result<f64> {
    let (ended, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let clients = (0..outstanding).map(|_| {
        let (hub, ended, is_over) = (hub.clone(), Arc::clone(&ended), Arc::clone(&is_over));
        tokio::spawn(async move {
            while !is_over.load(Ordering::Acquire) {
                hub.start(waiting()).await?.result().await?;
                ended.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, Error>(())
        })
    });
    let clients: Vec<_> = clients.collect();
    time::sleep(Duration::from_secs(3)).await;
    let before = ended.load(Ordering::Relaxed);
    let begun = time::Instant::now();
    time::sleep(Duration::from_secs(15)).await;
    let rate = u32::try_from(ended.load(Ordering::Relaxed) - before)?;
    let rate = f64::from(rate) / begun.elapsed().as_secs_f64();
    is_over.store(true, Ordering::Release);
    for client in clients {
        client.await??;
    }
    Ok(rate)
}
