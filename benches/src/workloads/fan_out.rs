//! `fan-out/N`: one orchestration that awaits N activities at once.

use std::time::Duration;

use durable::Result;

use crate::clock::now;
use crate::ours::{self, fan_out};
use crate::peer::Peer;
use crate::plan::Plan;
use crate::report::{Engine, Report, Unit};

const SECONDS: Unit = Unit("s");

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    for width in [1000, 10_000] {
        run_one(plan, report, width).await?;
    }
    Ok(())
}

async fn run_one(plan: &Plan, report: &mut Report, width: u32) -> Result<()> {
    let name = format!("fan-out/{width}");
    let groups = record(plan, width).await?;
    let peer_width = width.min(plan.pick(100, 1000));
    for round in plan.rounds(Duration::from_secs(5)) {
        report.add(&name, Engine::Durable, SECONDS, durable(plan, width).await?);
        if plan.has_peer(round) {
            let seconds = duroxide(plan, peer_width).await?;
            let scaled = seconds * f64::from(width) / f64::from(peer_width);
            report.add(&name, Engine::Duroxide, SECONDS, scaled);
            if peer_width < width {
                let note = plan.pick(
                    "measured with 100 and scaled in proportion, which favors it",
                    "measured with 1,000 and scaled in proportion, which favors it",
                );
                report.note(&name, Engine::Duroxide, note);
            }
        }
        report.add(&name, Engine::Raw, SECONDS, plan.raw(&groups)?);
    }
    Ok(())
}

async fn record(plan: &Plan, width: u32) -> Result<Vec<usize>> {
    let folder = plan.fresh()?;
    let (hub, groups) = ours::open_recorded(folder.path()).await?;
    hub.start(fan_out(width)).await?.result().await?;
    hub.shutdown().await?;
    Ok(groups.take())
}

async fn durable(plan: &Plan, width: u32) -> Result<f64> {
    let folder = plan.fresh()?;
    let (hub, _) = ours::open(folder.path()).await?;
    hub.start(fan_out(10)).await?.result().await?;
    let began = now();
    hub.start(fan_out(width)).await?.result().await?;
    let time = began.elapsed();
    hub.shutdown().await?;
    Ok(time.as_secs_f64())
}

async fn duroxide(plan: &Plan, width: u32) -> Result<f64> {
    let folder = plan.fresh()?;
    let peer = Peer::open(folder.path()).await?;
    peer.run("fan_out", 2).await?;
    let began = now();
    peer.run("fan_out", width).await?;
    let time = began.elapsed();
    peer.close().await;
    Ok(time.as_secs_f64())
}
