//! The workloads on duroxide with its provider for PostgreSQL. It polls every 10 ms instead of every
//! 100, with 8 dispatchers of each kind instead of 2.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use durable::{Error, Result};
use duroxide::runtime::registry::ActivityRegistry;
use duroxide::runtime::{Runtime, RuntimeOptions};
use duroxide::{ActivityContext, Client, OrchestrationContext, OrchestrationRegistry};
use duroxide_pg::PostgresProvider;

use crate::load::{self, Throughput, Window};

pub(crate) async fn hello(url: &str, outstanding: usize, window: Window) -> Result<Throughput> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let schema = format!("duroxide_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let provider = PostgresProvider::new_with_schema(url, Some(&schema)).await;
    let provider = Arc::new(provider.map_err(Error::msg)?);
    let activities = ActivityRegistry::builder()
        .register("say_hello", |_: ActivityContext, city: String| async move {
            Ok(format!("Hello {city}!"))
        })
        .build();
    let orchestrations = OrchestrationRegistry::builder()
        .register("hello_sequence", |ctx: OrchestrationContext, _: String| async move {
            let mut greetings = Vec::new();
            for city in ["Tokyo", "Seattle", "London"] {
                greetings.push(ctx.schedule_activity("say_hello", city).await?);
            }
            Ok(greetings.join(", "))
        })
        .build();
    let options = RuntimeOptions {
        dispatcher_min_poll_interval: Duration::from_millis(10),
        orchestration_concurrency: 8,
        worker_concurrency: 8,
        ..RuntimeOptions::default()
    };
    let store = Arc::clone(&provider);
    let runtime =
        Runtime::start_with_options(store as _, activities, orchestrations, options).await;
    let client = Arc::new(Client::new(provider));
    let next = Arc::new(AtomicU64::new(0));
    // A round begins cold and ends in the middle of a wave: so many are run, and their time counts.
    let count = outstanding.max(usize::try_from(window.counted.as_secs()).unwrap_or(1) * 10);
    let one = move || {
        let (client, id) = (Arc::clone(&client), format!("i{}", next.fetch_add(1, Ordering::Relaxed)));
        async move {
            client.start_orchestration(&id, "hello_sequence", "").await.map_err(Error::msg)?;
            let limit = Duration::from_secs(600);
            client.wait_for_orchestration(&id, limit).await.map_err(Error::msg)?;
            Ok(())
        }
    };
    let throughput = load::times(outstanding, count, one).await;
    runtime.shutdown(Some(0)).await;
    throughput
}
