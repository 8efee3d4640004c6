//! `sequence/N`: one orchestration of N activities in sequence.
//!
//! `first-1000` and `last-1000` show whether the cost of a step grows with the history.

use std::time::Duration;

use durable::Result;

use super::step::{mean, steps_us};
use crate::clock::now;
use crate::ours::{self, sequence};
use crate::peer::Peer;
use crate::plan::Plan;
use crate::report::{Engine, Report, Unit};

const SECONDS: Unit = Unit("s");
/// The number of steps that are measured at the beginning and at the end.
const PART: usize = 1000;

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    run_one(plan, report, 5000).await?;
    if !plan.quick {
        run_one(plan, report, 100_000).await?;
    }
    Ok(())
}

async fn run_one(plan: &Plan, report: &mut Report, steps: u32) -> Result<()> {
    let name = format!("sequence/{steps}");
    let groups = record(plan, steps).await?;
    let runs = if steps > 5000 { 3 } else { usize::MAX };
    for round in plan.rounds(Duration::from_secs(10)).take(runs) {
        durable(plan, report, &name, steps).await?;
        if plan.has_peer(round) && steps <= 5000 {
            let few = plan.pick(100, 500);
            let scaled = duroxide(plan, few).await? * f64::from(steps) / f64::from(few);
            report.add(&name, Engine::Duroxide, SECONDS, scaled);
            let note = plan.pick(
                "measured with 100 and scaled in proportion, which favors it",
                "measured with 500 and scaled in proportion, which favors it",
            );
            report.note(&name, Engine::Duroxide, note);
        }
        report.add(&name, Engine::Raw, SECONDS, plan.raw(&groups)?);
    }
    Ok(())
}

/// The groups of this many steps: the first ones, repeated, because all steps are alike.
async fn record(plan: &Plan, steps: u32) -> Result<Vec<usize>> {
    const RECORDED: u32 = 500;
    let folder = plan.fresh()?;
    let (hub, groups) = ours::open_recorded(folder.path()).await?;
    hub.start(sequence(RECORDED)).await?.result().await?;
    hub.shutdown().await?;
    let groups = groups.take();
    let wanted = groups.len() * (steps / RECORDED) as usize;
    Ok(groups.into_iter().cycle().take(wanted).collect())
}

async fn durable(plan: &Plan, report: &mut Report, name: &str, steps: u32) -> Result<()> {
    let folder = plan.fresh()?;
    let (hub, notes) = ours::open(folder.path()).await?;
    hub.start(sequence(50)).await?.result().await?;
    notes.take();
    let began = now();
    hub.start(sequence(steps)).await?.result().await?;
    report.add(name, Engine::Durable, SECONDS, began.elapsed().as_secs_f64());
    hub.shutdown().await?;
    let times = steps_us(&notes.take());
    let first = mean(&times[..PART.min(times.len())]);
    let last = mean(&times[times.len().saturating_sub(PART)..]);
    report.add(&format!("{name}/first-1000"), Engine::Durable, Unit("us"), first);
    report.add(&format!("{name}/last-1000"), Engine::Durable, Unit("us"), last);
    Ok(())
}

async fn duroxide(plan: &Plan, steps: u32) -> Result<f64> {
    let folder = plan.fresh()?;
    let peer = Peer::open(folder.path()).await?;
    peer.run("sequence", 2).await?;
    let began = now();
    peer.run("sequence", steps).await?;
    let time = began.elapsed();
    peer.close().await;
    Ok(time.as_secs_f64())
}
