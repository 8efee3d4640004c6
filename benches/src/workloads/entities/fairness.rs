//! `entities/fairness`: a client calls other keys in turn while a hot key is flooded with signals,
//! compared with the same calls on a quiet hub.
//!
//! The flood is as deep as possible up to a bound: orchestrations signal the hot key 1,000 times
//! each, as long as fewer than 20,000 signals wait. `slowdown` is the time of a call during the
//! flood divided by the time of a quiet call, in the same hub.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use durable::Result;
use durable::prelude::TaskHub;
use tokio::task::JoinSet;

use super::signals::EACH;
use super::{MS, OPERATIONS};
use crate::clock::now;
use crate::load::{self, Throughput, Window};
use crate::ours::{self, Counter, Notes, signals};
use crate::plan::Plan;
use crate::raw::RawLog;
use crate::report::{Engine, Report, Unit};
use crate::stats::percentile;

const NAME: &str = "entities/fairness";
/// How many other keys there are.
const KEYS: usize = 100;
/// How many signals wait at most.
const DEPTH: usize = 20_000;
/// The orchestrations that signal the hot key.
const FLOODERS: usize = 4;
const TIMES: Unit = Unit("times");

pub(super) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let bytes = bytes_of_a_call(plan).await?;
    for _ in plan.rounds(Duration::from_millis(1500)) {
        let folder = plan.fresh()?;
        let (hub, notes) = ours::open(folder.path()).await?;
        let quiet = calls(plan, &hub).await?;
        let flood = Flood::begin(&hub, &notes);
        let (began, before) = (now(), notes.counted());
        let flooded = calls(plan, &hub).await?;
        let rate = (notes.counted() - before) as f64 / began.elapsed().as_secs_f64();
        flood.end().await?;
        hub.shutdown().await?;
        report.add(&format!("{NAME}/flood"), Engine::Durable, OPERATIONS, rate);
        let (p50, p99) = raw(plan, bytes)?;
        for (part, calls) in [("quiet", quiet), ("flooded", flooded)] {
            report.add(&format!("{NAME}/{part}/p50"), Engine::Durable, MS, calls.p50_ms);
            report.add(&format!("{NAME}/{part}/p50"), Engine::Raw, MS, p50);
            report.add(&format!("{NAME}/{part}/p99"), Engine::Durable, MS, calls.p99_ms);
            report.add(&format!("{NAME}/{part}/p99"), Engine::Raw, MS, p99);
        }
        let slower = flooded.p50_ms / quiet.p50_ms;
        report.add(&format!("{NAME}/slowdown/p50"), Engine::Durable, TIMES, slower);
        let slower = flooded.p99_ms / quiet.p99_ms;
        report.add(&format!("{NAME}/slowdown/p99"), Engine::Durable, TIMES, slower);
    }
    Ok(())
}

/// Calls the other keys in turn.
async fn calls(plan: &Plan, hub: &TaskHub) -> Result<Throughput> {
    let window = Window {
        warm_up: plan.pick(Duration::from_millis(75), Duration::from_millis(500)),
        counted: plan.pick(Duration::from_millis(300), Duration::from_secs(2)),
    };
    let (hub, next) = (hub.clone(), Arc::new(AtomicUsize::new(0)));
    let one = move || {
        let (hub, n) = (hub.clone(), next.fetch_add(1, Ordering::Relaxed));
        async move {
            hub.call_entity(Counter::at(format!("calm-{}", n % KEYS)).add(1)).await?;
            Ok(())
        }
    };
    load::over(1, window, one).await
}

/// Keeps the hot key busy.
struct Flood {
    flooders: JoinSet<Result<()>>,
    stop: Arc<AtomicBool>,
}

impl Flood {
    fn begin(hub: &TaskHub, notes: &Notes) -> Self {
        let (stop, sent) = (Arc::default(), Arc::new(AtomicUsize::new(notes.counted())));
        let mut flooders = JoinSet::new();
        for _ in 0..FLOODERS {
            let (hub, notes, sent) = (hub.clone(), notes.clone(), Arc::clone(&sent));
            let stop = Arc::clone(&stop);
            flooders.spawn(flood(hub, notes, sent, stop));
        }
        Self { flooders, stop }
    }

    async fn end(mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.flooders.join_next().await {
            ended??;
        }
        Ok(())
    }
}

async fn flood(
    hub: TaskHub,
    notes: Notes,
    sent: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
) -> Result<()> {
    while !stop.load(Ordering::Relaxed) {
        // The calls of the other keys count, too; they are few.
        if sent.load(Ordering::Relaxed).saturating_sub(notes.counted()) >= DEPTH {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        sent.fetch_add(EACH, Ordering::Relaxed);
        hub.start(signals(0, EACH, 1)).await?.result().await?;
    }
    Ok(())
}

/// How many bytes a call makes durable.
async fn bytes_of_a_call(plan: &Plan) -> Result<usize> {
    let folder = plan.fresh()?;
    let (hub, groups) = ours::open_recorded(folder.path()).await?;
    hub.call_entity(Counter::at("calm-0").add(1)).await?;
    groups.take();
    hub.call_entity(Counter::at("calm-0").add(1)).await?;
    hub.shutdown().await?;
    Ok(groups.take().into_iter().sum())
}

/// How long an append of this many bytes and a sync take, in milliseconds.
fn raw(plan: &Plan, bytes: usize) -> Result<(f64, f64)> {
    let folder = plan.fresh()?;
    let mut log = RawLog::create(folder.path())?;
    let once = |_| Ok(log.append(bytes)?.as_secs_f64() * 1e3);
    let times = (0..plan.pick(100, 1000)).map(once).collect::<Result<Vec<_>>>()?;
    Ok((percentile(&times, 50.0), percentile(&times, 99.0)))
}
