//! `hello/N`: sequences of three activities, N of them outstanding.
//!
//! The raw log appends and syncs the groups that the hub made under the same load (each as many
//! bytes, in the same order), so it, too, had to wait for its disk as often.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use durable::Result;
use durable::prelude::TaskHub;

use crate::load::{self, Throughput, Window};
use crate::ours::{self, hello_sequence};
use crate::peer::Peer;
use crate::plan::Plan;
use crate::report::{Engine, Report, Unit};

/// In quick runs, duroxide has no more outstanding; with more it is slower.
const PEER_QUICK: usize = 128;

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    for outstanding in [1, 16, 256, 2048] {
        run_one(plan, report, outstanding).await?;
    }
    Ok(())
}

async fn run_one(plan: &Plan, report: &mut Report, outstanding: usize) -> Result<()> {
    let name = format!("hello/{outstanding}");
    // With many outstanding, the first end late.
    let short = Duration::from_millis(if outstanding < 1000 { 400 } else { 1000 });
    let window = Window {
        warm_up: plan.pick(short / 4, Duration::from_secs(1)),
        counted: plan.pick(short, Duration::from_secs(5)),
    };
    let recorded = record(plan, outstanding, window).await?;
    let peer_outstanding = outstanding.min(plan.pick(PEER_QUICK, usize::MAX));
    for round in plan.rounds(short.mul_f64(5.5).min(Duration::from_millis(4500))) {
        let throughput = durable(plan, outstanding, window).await?;
        add(report, &name, Engine::Durable, throughput);
        if plan.has_peer(round) {
            let count = plan.pick(40, 200).max(peer_outstanding);
            add(report, &name, Engine::Duroxide, duroxide(plan, peer_outstanding, count).await?);
            if peer_outstanding < outstanding {
                let note = "with 128 outstanding; more make it slower";
                report.note(&name, Engine::Duroxide, note);
            }
        }
        let rate = recorded.orchestrations as f64 / plan.raw(&recorded.groups)?;
        report.add(&name, Engine::Raw, PER_SECOND, rate);
    }
    Ok(())
}

const PER_SECOND: Unit = Unit("orchestrations/s");

fn add(report: &mut Report, name: &str, engine: Engine, throughput: Throughput) {
    report.add(name, engine, PER_SECOND, throughput.per_second);
    report.add(&format!("{name}/p50"), engine, Unit("ms"), throughput.p50_ms);
    report.add(&format!("{name}/p99"), engine, Unit("ms"), throughput.p99_ms);
}

async fn load(hub: &TaskHub, outstanding: usize, window: Window) -> Result<Throughput> {
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

/// The groups that a hub made, and of how many orchestrations.
struct Recorded {
    groups: Vec<usize>,
    orchestrations: usize,
}

async fn record(plan: &Plan, outstanding: usize, window: Window) -> Result<Recorded> {
    let folder = plan.fresh()?;
    let (hub, groups) = ours::open_recorded(folder.path()).await?;
    let ended = Arc::new(AtomicUsize::new(0));
    let (counting, counted) = (hub.clone(), Arc::clone(&ended));
    let one = move || {
        let (hub, ended) = (counting.clone(), Arc::clone(&counted));
        async move {
            hub.start(hello_sequence()).await?.result().await?;
            ended.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    };
    load::over(outstanding, window, one).await?;
    hub.shutdown().await?;
    Ok(Recorded { groups: groups.take(), orchestrations: ended.load(Ordering::Relaxed) })
}

async fn durable(plan: &Plan, outstanding: usize, window: Window) -> Result<Throughput> {
    let folder = plan.fresh()?;
    let (hub, _) = ours::open(folder.path()).await?;
    let throughput = load(&hub, outstanding, window).await?;
    hub.shutdown().await?;
    Ok(throughput)
}

async fn duroxide(plan: &Plan, outstanding: usize, count: usize) -> Result<Throughput> {
    let folder = plan.fresh()?;
    let peer = Arc::new(Peer::open(folder.path()).await?);
    peer.run("hello_sequence", "").await?;
    let running = Arc::clone(&peer);
    let one = move || {
        let peer = Arc::clone(&running);
        async move { peer.run("hello_sequence", "").await }
    };
    let throughput = load::times(outstanding, count, one).await?;
    if let Some(peer) = Arc::into_inner(peer) {
        peer.close().await;
    }
    Ok(throughput)
}
