//! `replay/N`: from an event to the result of an instance whose history of N events is replayed
//! first, because the hub has just been opened.
//!
//! `replay/N/open` is how long opening took, so that work cannot hide there; `replay/N/event` is
//! the time for each event. The raw limit reads as many bytes, and appends and syncs the groups
//! that the end of the instance made.

use std::fs;
use std::time::Duration;

use durable::protocol::EventKind;
use durable::{Error, Result};

use crate::clock::now;
use crate::ours::{self, GO, steps_then_wait};
use crate::peer::Peer;
use crate::plan::Plan;
use crate::raw::RawLog;
use crate::report::{Engine, Report, Unit};

const MS: Unit = Unit("ms");
const EVENTS: u32 = 10_000;
/// A step leaves four: the episode's two, the answer to the last activity, the call of the next.
const EVENTS_PER_STEP: u32 = 4;
const INSTANCE: &str = "long";

/// What an engine needed.
struct Replayed {
    open_ms: f64,
    result_ms: f64,
    events: f64,
}

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    for round in plan.rounds(Duration::from_secs(9)) {
        let (replayed, bytes, groups) = durable(plan).await?;
        add(report, Engine::Durable, &replayed);
        if plan.has_peer(round) {
            add(report, Engine::Duroxide, &duroxide(plan).await?);
            let note = plan.pick(
                "measured with 200 events and scaled in proportion",
                "measured with 1,000 events and scaled in proportion",
            );
            report.note("replay/10000", Engine::Duroxide, note);
        }
        report.add("replay/10000", Engine::Raw, MS, raw(plan, bytes, &groups)?);
    }
    Ok(())
}

fn add(report: &mut Report, engine: Engine, replayed: &Replayed) {
    let each = replayed.result_ms / replayed.events;
    report.add("replay/10000", engine, MS, each * f64::from(EVENTS));
    report.add("replay/10000/event", engine, Unit("us"), each * 1e3);
    report.add("replay/10000/open", engine, MS, replayed.open_ms);
}

async fn durable(plan: &Plan) -> Result<(Replayed, usize, Vec<usize>)> {
    let folder = plan.fresh()?;
    let (hub, _) = ours::open(folder.path()).await?;
    let steps = steps_then_wait(EVENTS / EVENTS_PER_STEP);
    let long = hub.start(steps.instance_id(INSTANCE)).await?;
    wait_until_it_waits(&hub).await?;
    let history = long.history().await?;
    let bytes = rmp_serde::to_vec(&history).map_err(Error::from)?.len();
    let asked = history.iter().filter(|e| matches!(e.kind, EventKind::TaskScheduled { .. }));
    if asked.count() != (EVENTS / EVENTS_PER_STEP) as usize {
        return Err(Error::msg("the long instance has not come to its end"));
    }
    hub.shutdown().await?;

    let began = now();
    let (hub, groups) = ours::open_recorded(folder.path()).await?;
    let open_ms = began.elapsed().as_secs_f64() * 1e3;
    groups.take();
    let began = now();
    let long = hub.instance(INSTANCE)?;
    long.raise_event(GO, &1).await?;
    long.wait_for_completion().await?;
    let result_ms = began.elapsed().as_secs_f64() * 1e3;
    hub.shutdown().await?;
    let events = history.len() as f64;
    Ok((Replayed { open_ms, result_ms, events }, bytes, groups.take()))
}

/// Waits until the long instance has taken all its steps, which its custom status tells.
async fn wait_until_it_waits(hub: &durable::TaskHub) -> Result<()> {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let long = hub.instance(INSTANCE)?;
    while long.custom_status::<String>().await?.is_none() {
        ticks.tick().await;
    }
    Ok(())
}

async fn duroxide(plan: &Plan) -> Result<Replayed> {
    let folder = plan.fresh()?;
    // It records a call and its answer, and no episodes.
    let steps: u32 = plan.pick(100, 500);
    let peer = Peer::open(folder.path()).await?;
    let id = peer.begin("steps_then_wait", steps).await?;
    peer.turns(&id, steps).await?;
    peer.close().await;

    let began = now();
    let peer = Peer::open(folder.path()).await?;
    let open_ms = began.elapsed().as_secs_f64() * 1e3;
    let began = now();
    peer.go(&id).await?;
    let result_ms = began.elapsed().as_secs_f64() * 1e3;
    peer.close().await;
    Ok(Replayed { open_ms, result_ms, events: f64::from(2 * steps) })
}

fn raw(plan: &Plan, bytes: usize, groups: &[usize]) -> Result<f64> {
    let folder = plan.fresh()?;
    let history = folder.path().join("history");
    fs::write(&history, vec![b'x'; bytes])?;
    let mut log = RawLog::create(folder.path())?;
    let began = now();
    let read = fs::read(&history)?;
    log.append_within(groups, Duration::MAX)?;
    let time = began.elapsed();
    if read.len() == bytes { Ok(time.as_secs_f64() * 1e3) } else { Err(Error::msg("a short read")) }
}
