//! Loops with a constant condition, and endless iterators.
#![allow(unused)]

use durable::prelude::*;

const FOREVER: bool = true;

#[activity]
async fn poll(n: u64) -> Result<u64> {
    Ok(n)
}

#[orchestrator]
async fn equal(ctx: &OrchestrationContext) -> Result<()> {
    while 1 == 1 {
        poll(1).await?;
    }
    Ok(())
}

#[orchestrator]
async fn negated(ctx: &OrchestrationContext) -> Result<()> {
    while !(2 < 1) && true {
        poll(1).await?;
    }
    Ok(())
}

#[orchestrator]
async fn named(ctx: &OrchestrationContext) -> Result<()> {
    while FOREVER {
        poll(1).await?;
    }
    Ok(())
}

#[orchestrator]
async fn matched(ctx: &OrchestrationContext) -> Result<()> {
    while let Some(n) = Some(1) {
        poll(n).await?;
    }
    Ok(())
}

#[orchestrator]
async fn listed(ctx: &OrchestrationContext) -> Result<()> {
    for n in (0..).step_by(2).map(|n| n + 1) {
        poll(n).await?;
    }
    for n in 0..u64::MAX {
        poll(n).await?;
    }
    for n in [1, 2].into_iter().cycle() {
        poll(n).await?;
    }
    Ok(())
}

fn main() {}
