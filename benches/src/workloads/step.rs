//! `step/1`: a durable step through the hub, one outstanding.
//!
//! One orchestration awaits activities one after the other; a step is from one activity to the next.
//! The raw limit of a step is one append of the bytes that a step makes durable, and one sync,
//! however many commits the engine needs for it.

use std::time::{Duration, Instant};

use durable::Result;

use crate::ours::{self, sequence};
use crate::peer::Peer;
use crate::plan::Plan;
use crate::raw::RawLog;
use crate::report::{Engine, Report, Unit};
use crate::stats::percentile;

const US: Unit = Unit("us");
const WORKLOAD: &str = "step/1";
/// The same against a file of full length, which a log that reuses its files could have.
const PREALLOCATED: &str = "step/1/preallocated";

/// How long each step took, in microseconds.
pub(crate) fn steps_us(marks: &[Instant]) -> Vec<f64> {
    marks.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1e6).collect()
}

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let steps = plan.pick(400, 4000);
    let bytes = bytes_of_a_step(plan).await?;
    for round in plan.rounds(Duration::from_secs(5)) {
        let times = durable(plan, steps).await?;
        add(report, Engine::Durable, &times);
        report.add(PREALLOCATED, Engine::Durable, US, mean(&times));
        if plan.has_peer(round) {
            add(report, Engine::Duroxide, &duroxide(plan, plan.pick(60, 300)).await?);
        }
        let folder = plan.fresh()?;
        let log = RawLog::create(folder.path())?;
        add(report, Engine::Raw, &raw(log, steps, bytes)?);
        let folder = plan.fresh()?;
        let log = RawLog::preallocated(folder.path(), steps as usize * bytes)?;
        let times = raw(log, steps, bytes)?;
        report.add(PREALLOCATED, Engine::Raw, US, mean(&times));
    }
    Ok(())
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn add(report: &mut Report, engine: Engine, steps: &[f64]) {
    report.add(WORKLOAD, engine, US, mean(steps));
    for (name, percent) in [("p50", 50.0), ("p99", 99.0), ("p99.9", 99.9)] {
        report.add(&format!("{WORKLOAD}/{name}"), engine, US, percentile(steps, percent));
    }
}

async fn bytes_of_a_step(plan: &Plan) -> Result<usize> {
    const STEPS: u32 = 200;
    let folder = plan.fresh()?;
    let (hub, groups) = ours::open_recorded(folder.path()).await?;
    hub.start(sequence(STEPS)).await?.result().await?;
    let bytes: usize = groups.take().iter().sum();
    hub.shutdown().await?;
    Ok(bytes / STEPS as usize)
}

async fn durable(plan: &Plan, steps: u32) -> Result<Vec<f64>> {
    let folder = plan.fresh()?;
    let (hub, notes) = ours::open(folder.path()).await?;
    hub.start(sequence(50)).await?.result().await?;
    notes.take();
    hub.start(sequence(steps)).await?.result().await?;
    hub.shutdown().await?;
    Ok(steps_us(&notes.take()))
}

async fn duroxide(plan: &Plan, steps: u32) -> Result<Vec<f64>> {
    let folder = plan.fresh()?;
    let peer = Peer::open(folder.path()).await?;
    peer.run("sequence", 10).await?;
    peer.notes.take();
    peer.run("sequence", steps).await?;
    let marks = peer.notes.take();
    peer.close().await;
    Ok(steps_us(&marks))
}

fn raw(mut log: RawLog, steps: u32, bytes: usize) -> Result<Vec<f64>> {
    let step = |_| Ok(log.append(bytes)?.as_secs_f64() * 1e6);
    (0..steps).map(step).collect()
}
