//! `sleepers/N`: N instances asleep on a timer of 24 hours.
//!
//! Memory belongs to a process, so this program runs itself again as a child for each engine. The
//! child puts the instances to sleep, reports the cost, and is killed. A second child opens the
//! same folder, and is timed from before its start until a new orchestration has completed.

use std::path::Path;
use std::time::Duration;

use durable::Result;

use crate::child::{Child, Role};
use crate::clock::now;
use crate::ours::{self, sleeper};
use crate::plan::Plan;
use crate::report::{Engine, Report, Unit};
use crate::system::disk_bytes;

const PER_SECOND: Unit = Unit("instances/s");
const MB: Unit = Unit("MB");
const BYTES: Unit = Unit("bytes each");
/// The number of outstanding starts while instances are put to sleep.
pub(crate) const STARTS_AT_ONCE: usize = 2048;

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    if plan.quick {
        return run_one(plan, report, 20_000, 3).await;
    }
    run_one(plan, report, 100_000, 3).await?;
    run_one(plan, report, 1_000_000, 1).await
}

async fn run_one(plan: &Plan, report: &mut Report, count: usize, runs: usize) -> Result<()> {
    let name = format!("sleepers/{count}");
    let groups = record(plan, count.min(20_000)).await?;
    for round in plan.rounds(Duration::from_secs(10)).take(runs) {
        let folder = plan.fresh()?;
        let roles = (Role::DurableSleep, Role::DurableWake);
        let slept = measure(folder.path(), count, roles).await?;
        add(report, &name, Engine::Durable, &slept);
        drop(folder);
        if round == 0 {
            duroxide(plan, report, &name, count).await?;
            let note = plan.pick(
                "measured with 1,000 instances, its write-ahead log included; memory is scaled",
                "measured with 10,000 instances, its write-ahead log included; memory is scaled",
            );
            for part in ["", "/start", "/memory", "/disk", "/reopen", "/reopen-memory"] {
                report.note(&format!("{name}{part}"), Engine::Duroxide, note);
            }
        }
        raw(plan, report, &name, &groups)?;
    }
    Ok(())
}

/// The figures of an engine.
struct Slept {
    per_second: f64,
    memory_mb: f64,
    bytes_each: f64,
    reopen_seconds: f64,
    reopen_memory_mb: f64,
}

async fn duroxide(plan: &Plan, report: &mut Report, name: &str, count: usize) -> Result<()> {
    let few = plan.pick(1000, 10_000);
    let folder = plan.fresh()?;
    let roles = (Role::DuroxideSleep, Role::DuroxideWake);
    let slept = measure(folder.path(), few, roles).await?;
    let empty = plan.fresh()?;
    let base = measure(empty.path(), 1, roles).await?.memory_mb;
    let memory_mb = base + (slept.memory_mb - base).max(0.0) * count as f64 / few as f64;
    add(report, name, Engine::Duroxide, &Slept { memory_mb, ..slept });
    Ok(())
}

async fn measure(folder: &Path, count: usize, (sleep, wake): (Role, Role)) -> Result<Slept> {
    let mut child = Child::start(sleep, folder, count)?;
    let told = child.told().await?;
    let bytes_each = disk_bytes(folder) / count as f64;
    child.kill().await?;
    let began = now();
    let mut child = Child::start(wake, folder, count)?;
    let woken = child.told().await?;
    let reopen_seconds = began.elapsed().as_secs_f64();
    child.kill().await?;
    Ok(Slept {
        per_second: count as f64 / told.seconds,
        memory_mb: told.peak_mb,
        bytes_each,
        reopen_seconds,
        reopen_memory_mb: woken.peak_mb,
    })
}

fn add(report: &mut Report, name: &str, engine: Engine, slept: &Slept) {
    report.add(name, engine, PER_SECOND, slept.per_second);
    report.add(&format!("{name}/start"), engine, PER_SECOND, slept.per_second);
    report.add(&format!("{name}/memory"), engine, MB, slept.memory_mb);
    report.add(&format!("{name}/disk"), engine, BYTES, slept.bytes_each);
    report.add(&format!("{name}/reopen"), engine, Unit("s"), slept.reopen_seconds);
    report.add(&format!("{name}/reopen-memory"), engine, MB, slept.reopen_memory_mb);
}

/// The groups of this many instances that go to sleep.
struct Recorded {
    groups: Vec<usize>,
    instances: usize,
}

async fn record(plan: &Plan, instances: usize) -> Result<Recorded> {
    let folder = plan.fresh()?;
    let (hub, groups) = ours::open_recorded(folder.path()).await?;
    put_to_sleep(&hub, instances).await?;
    hub.shutdown().await?;
    Ok(Recorded { groups: groups.take(), instances })
}

/// Starts this many sleepers and waits until all are asleep.
pub(crate) async fn put_to_sleep(hub: &durable::TaskHub, count: usize) -> Result<()> {
    let hub = hub.clone();
    let one = move || {
        let hub = hub.clone();
        async move {
            hub.start(sleeper()).await?.wait_for_start().await?;
            Ok(())
        }
    };
    crate::load::times(STARTS_AT_ONCE, count, one).await?;
    Ok(())
}

fn raw(plan: &Plan, report: &mut Report, name: &str, recorded: &Recorded) -> Result<()> {
    let instances = recorded.instances as f64;
    let rate = instances / plan.raw(&recorded.groups)?;
    let bytes = recorded.groups.iter().sum::<usize>() as f64 / instances;
    report.add(name, Engine::Raw, PER_SECOND, rate);
    report.add(&format!("{name}/start"), Engine::Raw, PER_SECOND, rate);
    report.add(&format!("{name}/disk"), Engine::Raw, BYTES, bytes);
    Ok(())
}
