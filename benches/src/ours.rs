//! The workloads on `durable`: functions and hub.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use durable::client::{Retention, TaskHubBuilder};
use durable::prelude::*;
use durable::store::{SledStore, Store};
use serde::{Deserialize, Serialize};

use crate::clock::now;
use crate::recorder::{Groups, Recorder};

/// How long sleepers sleep.
pub(crate) const NIGHT: Duration = Duration::from_hours(24);
/// The event that is waited for.
pub(crate) const GO: &str = "Go";

/// When activities ran, and how many operations of counters did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    marks: Arc<Mutex<Vec<Instant>>>,
    counted: Arc<AtomicUsize>,
}

impl Notes {
    /// Records the current time.
    pub(crate) fn mark(&self) {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).push(now());
    }

    /// The times recorded since the last call.
    pub(crate) fn take(&self) -> Vec<Instant> {
        std::mem::take(&mut *self.marks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How often counters have counted.
    pub(crate) fn counted(&self) -> usize {
        self.counted.load(Ordering::Relaxed)
    }
}

#[activity]
async fn say_hello(city: &str) -> String {
    format!("Hello {city}!")
}

#[activity]
async fn step(notes: State<Notes>, n: u32) -> u32 {
    notes.mark();
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

/// Activities all at once.
#[orchestrator]
pub(crate) async fn fan_out(ctx: &OrchestrationContext, width: u32) -> Result<u64> {
    let results = durable::try_join_all((0..width).map(step)).await?;
    Ok(results.into_iter().map(u64::from).sum())
}

/// Completes at once.
#[orchestrator]
pub(crate) async fn no_steps(ctx: &OrchestrationContext) {}

/// Repeatedly sends an event and waits for one.
#[orchestrator]
pub(crate) async fn ping(ctx: &OrchestrationContext, pong: String, rounds: u32) -> Result<u32> {
    for n in 0..rounds {
        ctx.send_event(&pong, GO, &n)?;
        ctx.wait_for_external_event::<u32>(GO).await?;
    }
    Ok(rounds)
}

/// Repeatedly waits for an event and sends one.
#[orchestrator]
pub(crate) async fn pong(ctx: &OrchestrationContext, ping: String, rounds: u32) -> Result<u32> {
    for _ in 0..rounds {
        let n = ctx.wait_for_external_event::<u32>(GO).await?;
        ctx.send_event(&ping, GO, &n)?;
    }
    Ok(rounds)
}

/// Takes some steps, then waits for an event.
#[orchestrator]
pub(crate) async fn steps_then_wait(ctx: &OrchestrationContext, steps: u32) -> Result<u32> {
    for n in 0..steps {
        step(n).await?;
    }
    ctx.set_custom_status("waiting")?;
    Ok(ctx.wait_for_external_event::<u32>(GO).await?)
}

/// Sleeps.
#[orchestrator]
pub(crate) async fn sleeper(ctx: &OrchestrationContext) {
    ctx.create_timer(NIGHT).await;
}

/// Counts.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counter(u64);

#[entity]
impl Counter {
    pub(crate) fn add(&mut self, notes: State<Notes>, n: u64) -> u64 {
        self.0 += n;
        notes.counted.fetch_add(1, Ordering::Relaxed);
        self.0
    }

    pub(crate) fn get(&self) -> u64 {
        self.0
    }
}

/// Signals counters in turns, of `keys` in all, beginning with one of them.
#[orchestrator]
pub(crate) async fn signals(
    ctx: &OrchestrationContext,
    first: usize,
    count: usize,
    keys: usize,
) -> Result<()> {
    for n in first..first + count {
        Counter::at(counter_key(n % keys)).add(1).signal()?;
    }
    Ok(())
}

/// The key of one of the counters.
#[durable::deterministic]
pub(crate) fn counter_key(n: usize) -> String {
    format!("counter-{n}")
}

/// Holds money; a new one has some.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Account {
    cents: i64,
}

impl Default for Account {
    fn default() -> Self {
        Self { cents: 1_000_000 }
    }
}

#[entity]
impl Account {
    fn deposit(&mut self, cents: i64) {
        self.cents += cents;
    }

    fn withdraw(&mut self, cents: i64) -> Result<()> {
        if self.cents < cents {
            return Err(Error::msg(format!("only {} left", self.cents)));
        }
        self.cents -= cents;
        Ok(())
    }

    fn balance(&self) -> i64 {
        self.cents
    }
}

/// Moves money in a critical section: two locks, three calls.
#[orchestrator]
pub(crate) async fn transfer(
    ctx: &OrchestrationContext,
    from: String,
    to: String,
    cents: i64,
) -> Result<bool> {
    let mut accounts = ctx.lock_entities((Account::at(&from), Account::at(&to))).await?;
    if accounts.0.balance().await? < cents {
        return Ok(false);
    }
    accounts.0.withdraw(cents).await?;
    accounts.1.deposit(cents).await?;
    Ok(true)
}

/// Opens a hub in a folder, as a user would.
pub(crate) async fn open(folder: &Path) -> Result<(TaskHub, Notes)> {
    open_with(TaskHub::builder().path(folder)).await
}

/// Opens a hub in a folder that purges completed instances.
pub(crate) async fn open_forgetful(folder: &Path, after: Duration) -> Result<(TaskHub, Notes)> {
    open_with(TaskHub::builder().path(folder).retention(Retention::all(after))).await
}

/// Opens a hub in a folder and records its groups.
pub(crate) async fn open_recorded(folder: &Path) -> Result<(TaskHub, Groups)> {
    let (hub, _, groups) = open_recorded_with_notes(folder).await?;
    Ok((hub, groups))
}

/// As [`open_recorded`], with the recorder.
pub(crate) async fn open_recorded_with_notes(folder: &Path) -> Result<(TaskHub, Notes, Groups)> {
    let (store, groups) = Recorder::new(SledStore::open(folder)?);
    let (hub, notes) = open_on(store).await?;
    groups.take();
    Ok((hub, notes, groups))
}

async fn open_on(store: impl Store) -> Result<(TaskHub, Notes)> {
    open_with(TaskHub::builder().store(store)).await
}

async fn open_with(builder: TaskHubBuilder) -> Result<(TaskHub, Notes)> {
    let notes = Notes::default();
    let hub = builder.state(notes.clone()).open().await?;
    Ok((hub, notes))
}
