//! `entities/calls/N`: N clients call one counter, again and again.
//! `entities/transfers/N`: N transfers outstanding between pairs of 100 accounts, each a critical
//! section of two locks and three calls.
//!
//! The raw log appends and syncs the groups that the hub made under the same load.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use durable::prelude::TaskHub;
use durable::{Error, Result};

use super::{MS, OPERATIONS};
use crate::load::{self, Throughput, Window};
use crate::ours::{self, Counter, transfer};
use crate::plan::Plan;
use crate::report::{Engine, Report, Unit};

const ACCOUNTS: usize = 100;

/// What is done again and again.
#[derive(Clone, Copy, Debug)]
enum Work {
    Call,
    Transfer,
}

pub(super) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    for work in [Work::Call, Work::Transfer] {
        for outstanding in [1, 64] {
            run_one(plan, report, work, outstanding).await?;
        }
    }
    Ok(())
}

async fn run_one(plan: &Plan, report: &mut Report, work: Work, outstanding: usize) -> Result<()> {
    let (name, unit) = match work {
        Work::Call => ("calls", OPERATIONS),
        Work::Transfer => ("transfers", Unit("transfers/s")),
    };
    let name = format!("entities/{name}/{outstanding}");
    let window = Window {
        warm_up: plan.pick(Duration::from_millis(75), Duration::from_millis(500)),
        counted: plan.pick(Duration::from_millis(300), Duration::from_secs(2)),
    };
    let (groups, done) = record(plan, work, outstanding, window).await?;
    for _ in plan.rounds(Duration::from_millis(900)) {
        let folder = plan.fresh()?;
        let (hub, _) = ours::open(folder.path()).await?;
        let (throughput, _) = load(&hub, work, outstanding, window).await?;
        hub.shutdown().await?;
        report.add(&name, Engine::Durable, unit, throughput.per_second);
        report.add(&format!("{name}/p50"), Engine::Durable, MS, throughput.p50_ms);
        report.add(&format!("{name}/p99"), Engine::Durable, MS, throughput.p99_ms);
        report.add(&name, Engine::Raw, unit, done as f64 / plan.raw(&groups)?);
    }
    Ok(())
}

/// The groups that a hub made, and for how many calls or transfers.
async fn record(
    plan: &Plan,
    work: Work,
    outstanding: usize,
    window: Window,
) -> Result<(Vec<usize>, usize)> {
    let folder = plan.fresh()?;
    let (hub, groups) = ours::open_recorded(folder.path()).await?;
    let (_, done) = load(&hub, work, outstanding, window).await?;
    hub.shutdown().await?;
    Ok((groups.take(), done))
}

/// What a load comes to, and how often the work was done.
async fn load(
    hub: &TaskHub,
    work: Work,
    outstanding: usize,
    window: Window,
) -> Result<(Throughput, usize)> {
    let (hub, next) = (hub.clone(), Arc::new(AtomicUsize::new(0)));
    let taken = Arc::clone(&next);
    let one = move || {
        let (hub, n) = (hub.clone(), next.fetch_add(1, Ordering::Relaxed));
        async move { work.act(&hub, n).await }
    };
    let throughput = load::over(outstanding, window, one).await?;
    Ok((throughput, taken.load(Ordering::Relaxed)))
}

impl Work {
    /// Does it once, the `n`-th time.
    async fn act(self, hub: &TaskHub, n: usize) -> Result<()> {
        match self {
            Self::Call => {
                hub.call_entity(Counter::at("hot").add(1)).await?;
            }
            Self::Transfer => {
                let from = n * 37 % ACCOUNTS;
                let to = (from + 1 + n * 31 % (ACCOUNTS - 1)) % ACCOUNTS;
                let (from, to) = (format!("account-{from}"), format!("account-{to}"));
                if !hub.start(transfer(from, to, 1)).await?.result().await? {
                    return Err(Error::msg("an account is empty"));
                }
            }
        }
        Ok(())
    }
}
