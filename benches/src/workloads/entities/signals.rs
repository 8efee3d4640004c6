//! `entities/hot-key`: one counter that many orchestrations signal.
//! `entities/keys/N`: signals spread over N counters; what such a counter takes of memory and disk.
//!
//! An orchestration signals 1,000 times and ends. The time is from the start of the first until all
//! operations are carried out. The raw log appends and syncs the groups that the hub made under the
//! same load: each signal once when it is sent, and its id once more when it is consumed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use durable::prelude::TaskHub;
use durable::{Error, Result};

use super::OPERATIONS;
use crate::child::{Child, Role};
use crate::clock::now;
use crate::load;
use crate::ours::{self, Counter, Notes, counter_key, signals};
use crate::plan::Plan;
use crate::report::{Engine, Report, Unit};
use crate::system::disk_bytes;

/// How many signals an orchestration sends.
pub(super) const EACH: usize = 1000;
/// How many orchestrations are outstanding.
const AT_ONCE: usize = 8;
const KEYS: usize = 10_000;
const BYTES: Unit = Unit("bytes each");
/// How often it is looked whether all is carried out.
const LOOK: Duration = Duration::from_millis(1);

/// Signals to counters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signals {
    /// How many counters there are.
    pub(crate) keys: usize,
    /// How many signals there are.
    pub(crate) signals: usize,
}

pub(super) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let signals = plan.pick(20_000, 100_000);
    rate(plan, report, "entities/hot-key", Signals { keys: 1, signals }).await?;
    let name = format!("entities/keys/{KEYS}");
    rate(plan, report, &name, Signals { keys: KEYS, signals }).await?;
    sizes(plan, report, &name).await
}

async fn rate(plan: &Plan, report: &mut Report, name: &str, load: Signals) -> Result<()> {
    let groups = record(plan, load).await?;
    for _ in plan.rounds(Duration::from_secs(2)) {
        report.add(name, Engine::Durable, OPERATIONS, durable(plan, load).await?);
        let rate = load.signals as f64 / plan.raw(&groups)?;
        report.add(name, Engine::Raw, OPERATIONS, rate);
    }
    Ok(())
}

async fn record(plan: &Plan, load: Signals) -> Result<Vec<usize>> {
    let folder = plan.fresh()?;
    let (hub, notes, groups) = ours::open_recorded_with_notes(folder.path()).await?;
    load.carry_out(&hub, &notes).await?;
    hub.shutdown().await?;
    Ok(groups.take())
}

async fn durable(plan: &Plan, load: Signals) -> Result<f64> {
    let folder = plan.fresh()?;
    let (hub, notes) = ours::open(folder.path()).await?;
    hub.call_entity(Counter::at("warm").add(1)).await?;
    let began = now();
    load.carry_out(&hub, &notes).await?;
    let rate = load.signals as f64 / began.elapsed().as_secs_f64();
    load.check(&hub).await?;
    hub.shutdown().await?;
    Ok(rate)
}

impl Signals {
    /// Sends all of them and waits until they are carried out.
    pub(crate) async fn carry_out(self, hub: &TaskHub, notes: &Notes) -> Result<()> {
        let before = notes.counted();
        let (hub, next) = (hub.clone(), Arc::new(AtomicUsize::new(0)));
        let one = move || {
            let (hub, first) = (hub.clone(), next.fetch_add(EACH, Ordering::Relaxed));
            async move {
                let count = EACH.min(self.signals - first);
                hub.start(signals(first, count, self.keys)).await?.result().await?;
                Ok(())
            }
        };
        load::times(AT_ONCE, self.signals.div_ceil(EACH), one).await?;
        while notes.counted() - before < self.signals {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Asks some counters what they have counted.
    async fn check(self, hub: &TaskHub) -> Result<()> {
        for n in [0, self.keys / 2, self.keys - 1] {
            let expected = (self.signals / self.keys) as u64;
            let counted = hub.call_entity(Counter::at(counter_key(n)).get()).await?;
            if counted != expected {
                return Err(Error::msg(format!("counter {n}: {counted}, not {expected}")));
            }
        }
        Ok(())
    }
}

/// What a counter takes once it was signalled, in a process of its own.
async fn sizes(plan: &Plan, report: &mut Report, name: &str) -> Result<()> {
    for _ in plan.rounds(Duration::from_secs(1)).take(3) {
        let (few_mb, _) = measure(plan, 1).await?;
        let (many_mb, disk) = measure(plan, KEYS).await?;
        let memory = (many_mb - few_mb) * 1024.0 * 1024.0 / KEYS as f64;
        report.add(&format!("{name}/memory"), Engine::Durable, BYTES, memory);
        report.add(&format!("{name}/disk"), Engine::Durable, BYTES, disk / KEYS as f64);
    }
    let groups = record(plan, Signals { keys: KEYS, signals: KEYS }).await?;
    let bytes = groups.iter().sum::<usize>() as f64 / KEYS as f64;
    report.add(&format!("{name}/disk"), Engine::Raw, BYTES, bytes);
    Ok(())
}

/// The peak memory in megabytes, and the bytes on disk, with this many counters.
async fn measure(plan: &Plan, keys: usize) -> Result<(f64, f64)> {
    let folder = plan.fresh()?;
    let mut child = Child::start(Role::DurableCount, folder.path(), keys)?;
    let told = child.told().await?;
    let bytes = disk_bytes(folder.path());
    child.kill().await?;
    Ok((told.peak_mb, bytes))
}
