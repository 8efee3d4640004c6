//! The workloads on `durable`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use durable::prelude::*;
use durable_postgres::{PostgresOptions, PostgresStore};

use crate::clock::now;
use crate::load::{self, Throughput, Window};

/// When activities ran.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<Instant>>>);

impl Notes {
    /// The times since the last call.
    pub(crate) fn take(&self) -> Vec<Instant> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[activity]
async fn say_hello(city: &str) -> String {
    format!("Hello {city}!")
}

#[activity]
async fn step(notes: State<Notes>, n: u32) -> u32 {
    notes.0.lock().unwrap_or_else(PoisonError::into_inner).push(now());
    n
}

/// Three activities in sequence.
#[orchestrator]
pub(crate) async fn hello_sequence(ctx: &OrchestrationContext) -> Result<Vec<String>> {
    let mut greetings = Vec::new();
    for city in ["Tokyo", "Seattle", "London"] {
        greetings.push(say_hello(city).await?);
    }
    Ok(greetings)
}

/// Activities in sequence, each of which records the time.
#[orchestrator]
pub(crate) async fn sequence(ctx: &OrchestrationContext, steps: u32) -> Result<u32> {
    let mut last = 0;
    for n in 0..steps {
        last = step(n).await?;
    }
    Ok(last)
}

/// Opens a hub in a schema that no other has used, with this many partitions.
pub(crate) async fn open(url: &str, partitions: Option<u16>) -> Result<(TaskHub, Notes)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let schema = format!("durable_{}_{number}", std::process::id());
    let options = PostgresOptions::new(url)?.schema(schema)?;
    let notes = Notes::default();
    let store = PostgresStore::connect_with(options).await?;
    let builder = TaskHub::builder().store(store).state(notes.clone());
    let builder = match partitions {
        Some(count) => builder.partitions(count),
        None => builder,
    };
    let hub = builder.open().await?;
    Ok((hub, notes))
}

pub(crate) async fn hello(
    url: &str,
    partitions: Option<u16>,
    outstanding: usize,
    window: Window,
) -> Result<Throughput> {
    let (hub, _) = open(url, partitions).await?;
    let throughput = hello_on(&hub, outstanding, window).await?;
    hub.shutdown().await?;
    Ok(throughput)
}

pub(crate) async fn hello_on(
    hub: &TaskHub,
    outstanding: usize,
    window: Window,
) -> Result<Throughput> {
    let hub = hub.clone();
    let one = move || {
        let hub = hub.clone();
        async move {
            hub.start(hello_sequence()).await?.result().await?;
            Ok(())
        }
    };
    load::over(outstanding, window, one).await
}
