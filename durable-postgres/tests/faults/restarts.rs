//! A hub under load whose database restarts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use durable::client::InstanceQuery;
use durable::prelude::*;
use durable::protocol::RuntimeStatus;
use durable_postgres::PostgresStore;

use crate::cluster::Cluster;

#[activity]
async fn count_letters(word: String) -> usize {
    word.len()
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Total(u64);

#[entity]
impl Total {
    fn add(&mut self, number: u64) {
        self.0 += number;
    }

    fn get(&self) -> u64 {
        self.0
    }
}

/// Steps, a timer, and a signal whose effect is counted.
#[orchestrator]
async fn sum_up(ctx: &OrchestrationContext, words: Vec<String>) -> Result<usize> {
    let mut letters = 0;
    for word in words {
        letters += count_letters(word).await?;
    }
    ctx.create_timer(Duration::from_millis(10)).await;
    Total::at("all").add(letters as u64).signal()?;
    Ok(letters)
}

/// Keeps instances running while the server restarts. Every instance comes to its end with its
/// result, and every signal has its effect once.
#[tokio::test(flavor = "multi_thread")]
async fn a_hub_goes_on_when_its_database_has_restarted() -> Result<()> {
    let cluster = Arc::new(tokio::task::spawn_blocking(Cluster::start).await?);
    let store = PostgresStore::connect(cluster.url()).await?;
    let hub = TaskHub::builder().store(store).open().await?;
    let (done, started) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients = (0..32).map(|_| {
        let (hub, done, started) = (hub.clone(), Arc::clone(&done), Arc::clone(&started));
        tokio::spawn(async move {
            while !done.load(Ordering::Acquire) {
                started.fetch_add(1, Ordering::Relaxed);
                let words = ["one", "three", "five"].map(str::to_owned).to_vec();
                let letters = hub.start(sum_up(words)).await?.result().await?;
                assert_eq!(letters, 12);
            }
            Ok::<_, Error>(())
        })
    });
    let clients: Vec<_> = clients.collect();
    let restarted = Arc::clone(&cluster);
    let restart = move || {
        for mode in ["fast", "immediate", "fast", "immediate", "immediate"] {
            let before = started.load(Ordering::Relaxed);
            while started.load(Ordering::Relaxed) < before + 100 {
                std::thread::yield_now();
            }
            restarted.restart(mode);
        }
        started.load(Ordering::Relaxed)
    };
    tokio::task::spawn_blocking(restart).await?;
    done.store(true, Ordering::Release);
    for client in clients {
        client.await??;
    }
    let started = hub.count(&InstanceQuery::new()).await?;
    let completed = InstanceQuery::new().status(RuntimeStatus::Completed);
    assert!(started > 500);
    assert_eq!(hub.count(&completed).await?, started);
    assert_eq!(hub.call_entity(Total::at("all").get()).await?, 12 * started);
    hub.shutdown().await?;
    Ok(())
}
