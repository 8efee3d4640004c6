//! `events/ping-pong`: two orchestrations that send events to each other, in turns.
//! `events/raise`: from a client's event to the result of the orchestration that waited for it.

use std::time::Duration;

use durable::Result;

use crate::clock::now;
use crate::ours::{self, GO, ping, pong, steps_then_wait};
use crate::peer::Peer;
use crate::plan::Plan;
use crate::raw::RawLog;
use crate::report::{Engine, Report, Unit};
use crate::stats::median;

const ROUND_TRIPS: Unit = Unit("round trips/s");
const US: Unit = Unit("us");

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    ping_pong(plan, report).await?;
    raise(plan, report).await
}

/// duroxide has no events from orchestration to orchestration.
async fn ping_pong(plan: &Plan, report: &mut Report) -> Result<()> {
    const WORKLOAD: &str = "events/ping-pong";
    let rounds = plan.pick(300, 5000);
    let groups = {
        let folder = plan.fresh()?;
        let (hub, groups) = ours::open_recorded(folder.path()).await?;
        play(&hub, rounds).await?;
        hub.shutdown().await?;
        groups.take()
    };
    for _ in plan.rounds(Duration::from_secs(5)) {
        let folder = plan.fresh()?;
        let (hub, _) = ours::open(folder.path()).await?;
        let began = now();
        play(&hub, rounds).await?;
        let rate = f64::from(rounds) / began.elapsed().as_secs_f64();
        report.add(WORKLOAD, Engine::Durable, ROUND_TRIPS, rate);
        hub.shutdown().await?;
        let rate = f64::from(rounds) / plan.raw(&groups)?;
        report.add(WORKLOAD, Engine::Raw, ROUND_TRIPS, rate);
    }
    Ok(())
}

async fn play(hub: &durable::TaskHub, rounds: u32) -> Result<()> {
    let second = hub.start(pong("ping".to_owned(), rounds).instance_id("pong")).await?;
    let first = hub.start(ping("pong".to_owned(), rounds).instance_id("ping")).await?;
    first.result().await?;
    second.result().await?;
    Ok(())
}

async fn raise(plan: &Plan, report: &mut Report) -> Result<()> {
    const WORKLOAD: &str = "events/raise";
    let times = plan.pick(100, 1000);
    let groups = raise_recorded(plan).await?;
    for round in plan.rounds(Duration::from_secs(5)) {
        report.add(WORKLOAD, Engine::Durable, US, raise_durable(plan, times).await?);
        if plan.has_peer(round) {
            let times = plan.pick(30, 100);
            report.add(WORKLOAD, Engine::Duroxide, US, raise_duroxide(plan, times).await?);
        }
        let folder = plan.fresh()?;
        let mut log = RawLog::create(folder.path())?;
        let once = |_| Ok(log.append_within(&groups, Duration::MAX)? * 1e6);
        let each: Result<Vec<_>> = (0..times).map(once).collect();
        report.add(WORKLOAD, Engine::Raw, US, median(&each?));
    }
    Ok(())
}

/// The groups that are written from an event to the result, once.
async fn raise_recorded(plan: &Plan) -> Result<Vec<usize>> {
    let folder = plan.fresh()?;
    let (hub, groups) = ours::open_recorded(folder.path()).await?;
    let waiting = hub.start(steps_then_wait(0)).await?;
    waiting.wait_for_start().await?;
    groups.take();
    waiting.raise_event(GO, &1).await?;
    waiting.result().await?;
    hub.shutdown().await?;
    Ok(groups.take())
}

async fn raise_durable(plan: &Plan, times: u32) -> Result<f64> {
    let folder = plan.fresh()?;
    let (hub, _) = ours::open(folder.path()).await?;
    let mut latencies = Vec::new();
    for _ in 0..times {
        let waiting = hub.start(steps_then_wait(0)).await?;
        waiting.wait_for_start().await?;
        let began = now();
        waiting.raise_event(GO, &1).await?;
        waiting.result().await?;
        latencies.push(began.elapsed().as_secs_f64() * 1e6);
    }
    hub.shutdown().await?;
    Ok(median(&latencies))
}

async fn raise_duroxide(plan: &Plan, times: u32) -> Result<f64> {
    let folder = plan.fresh()?;
    let peer = Peer::open(folder.path()).await?;
    let mut latencies = Vec::new();
    for _ in 0..times {
        let waiting = peer.begin("steps_then_wait", 0).await?;
        let began = now();
        peer.go(&waiting).await?;
        latencies.push(began.elapsed().as_secs_f64() * 1e6);
    }
    peer.close().await;
    Ok(median(&latencies))
}
