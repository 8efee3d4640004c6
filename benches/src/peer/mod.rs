//! The workloads on duroxide, with the best settings that were found.
//!
//! * Its own SQLite provider on a file, as it is published. It sends a `PRAGMA synchronous` that is
//!   not FULL, so its last commits may be lost with the power; `durable` and the raw log keep theirs.
//! * Polls every millisecond instead of every 100, and one caller of the store at a time
//!   (`provider.rs`):
//!   without these it is 3 to 20 times slower.
//! * Waiting clients are notified by the store instead of querying it repeatedly.
//!
//! Read next: `provider.rs`.

mod provider;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use durable::{Error, Result};
use duroxide::providers::sqlite::SqliteProvider;
use duroxide::runtime::registry::ActivityRegistry;
use duroxide::runtime::{Runtime, RuntimeOptions};
use duroxide::{ActivityContext, Client, OrchestrationContext, OrchestrationRegistry};

use self::provider::{OneAtATime, Signals};
use crate::ours::{GO, NIGHT, Notes};

/// A runtime of duroxide on a folder.
pub(crate) struct Peer {
    runtime: Arc<Runtime>,
    client: Client,
    signals: Arc<Signals>,
    /// When its activities ran.
    pub(crate) notes: Notes,
    next: AtomicU64,
}

impl Peer {
    /// Opens, or creates, the database in `folder`.
    pub(crate) async fn open(folder: &Path) -> Result<Self> {
        let url = format!("sqlite:{}?mode=rwc", folder.join("duroxide.db").display());
        let provider = SqliteProvider::new(&url, None).await.map_err(Error::msg)?;
        let (store, signals) = OneAtATime::new(provider);
        let store = Arc::new(store);
        let notes = Notes::default();
        let options = RuntimeOptions {
            dispatcher_min_poll_interval: Duration::from_millis(1),
            ..RuntimeOptions::default()
        };
        let runtime = Runtime::start_with_options(
            Arc::clone(&store) as _,
            activities(&notes),
            orchestrations(),
            options,
        )
        .await;
        let client = Client::new(store);
        Ok(Self { runtime, client, signals, notes, next: AtomicU64::new(0) })
    }

    /// Opens a database that contains this many instances.
    pub(crate) async fn open_after(folder: &Path, instances: usize) -> Result<Self> {
        let peer = Self::open(folder).await?;
        peer.next.store(instances as u64, Ordering::Relaxed);
        Ok(peer)
    }

    fn id(&self) -> String {
        format!("i{}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Starts an instance and waits for its end.
    pub(crate) async fn run(&self, name: &str, input: impl ToString) -> Result<()> {
        let id = self.id();
        let ended = self.signals.ended(&id);
        self.start(&id, name, input).await?;
        check(&ended.await?)
    }

    /// Starts an instance and waits until it waits for something itself.
    pub(crate) async fn begin(&self, name: &str, input: impl ToString) -> Result<String> {
        let id = self.id();
        let turned = self.signals.turned(&id);
        self.start(&id, name, input).await?;
        turned.await?;
        Ok(id)
    }

    /// Waits for this many turns of an instance, some of which may have passed already.
    pub(crate) async fn turns(&self, id: &str, turns: u32) -> Result<()> {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        while self.signals.turns(id) <= turns {
            ticks.tick().await;
        }
        Ok(())
    }

    /// Sends the event that an instance waits for, and waits for the instance's end.
    pub(crate) async fn go(&self, id: &str) -> Result<()> {
        let ended = self.signals.ended(id);
        self.client.raise_event(id, GO, "1").await.map_err(Error::msg)?;
        check(&ended.await?)
    }

    async fn start(&self, id: &str, name: &str, input: impl ToString) -> Result<()> {
        let started = self.client.start_orchestration(id, name, input.to_string()).await;
        started.map_err(Error::msg)
    }

    /// Stops at once; what is under way is left as it is.
    pub(crate) async fn close(self) {
        self.runtime.shutdown(Some(0)).await;
    }
}

fn check(status: &str) -> Result<()> {
    match status {
        "Completed" => Ok(()),
        _ => Err(Error::msg(format!("an instance of duroxide has {status}"))),
    }
}

fn activities(notes: &Notes) -> ActivityRegistry {
    let notes = notes.clone();
    ActivityRegistry::builder()
        .register("say_hello", |_: ActivityContext, city: String| async move {
            Ok(format!("Hello {city}!"))
        })
        .register("step", move |_: ActivityContext, n: String| {
            notes.mark();
            async move { Ok(n) }
        })
        .build()
}

fn orchestrations() -> OrchestrationRegistry {
    OrchestrationRegistry::builder()
        .register("hello_sequence", |ctx: OrchestrationContext, _: String| async move {
            let mut greetings = Vec::new();
            for city in ["Tokyo", "Seattle", "London"] {
                greetings.push(ctx.schedule_activity("say_hello", city).await?);
            }
            Ok(greetings.join(", "))
        })
        .register("sequence", |ctx: OrchestrationContext, steps: String| async move {
            take_steps(&ctx, &steps).await?;
            Ok(steps)
        })
        .register("fan_out", |ctx: OrchestrationContext, width: String| async move {
            let step = |n: u32| ctx.schedule_activity("step", n.to_string());
            let results = ctx.join((0..number(&width)?).map(step).collect()).await;
            Ok(results.into_iter().collect::<Result<Vec<_>, _>>()?.len().to_string())
        })
        .register("steps_then_wait", |ctx: OrchestrationContext, steps: String| async move {
            take_steps(&ctx, &steps).await?;
            Ok(ctx.schedule_wait(GO).await)
        })
        .register("sleeper", |ctx: OrchestrationContext, _: String| async move {
            ctx.schedule_timer(NIGHT).await;
            Ok(String::new())
        })
        .build()
}

async fn take_steps(ctx: &OrchestrationContext, steps: &str) -> Result<(), String> {
    for n in 0..number(steps)? {
        ctx.schedule_activity("step", n.to_string()).await?;
    }
    Ok(())
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|error| format!("`{text}`: {error}"))
}
