//! Eternal orchestrations, whose histories stay small.

#![deny(warnings, missing_docs, unreachable_pub)]

use std::time::Duration;

use durable::task::Race2;
use durable::prelude::*;

#[activity]
async fn remove_old_files() -> Result<u64> {
    Ok(3)
}

#[orchestrator]
async fn cleanup(ctx: &OrchestrationContext, removed: u64) -> Result<()> {
    let more = remove_old_files().await?;
    ctx.create_timer(Duration::from_hours(1)).await;
    ctx.continue_as_new(cleanup(removed + more)).await
}

/// Ends when it is told to.
#[orchestrator]
async fn counter(ctx: &OrchestrationContext, mut sum: i64) -> Result<i64> {
    for _ in 0..100 {
        let add = ctx.wait_for_external_event::<i64>("Add");
        let stop = ctx.wait_for_external_event::<()>("Stop");
        match durable::race((add, stop)).await {
            Race2::First(number) => sum += number?,
            Race2::Second(_) => return Ok(sum),
        }
    }
    ctx.continue_as_new(counter(sum)).await
}

/// A loop without an end in sight, but for this.
#[orchestrator]
async fn watch(ctx: &OrchestrationContext) {
    let mut turns = 0;
    loop {
        ctx.create_timer(Duration::from_secs(1)).await;
        turns += 1;
        if turns == 1000 {
            ctx.continue_as_new(watch()).await;
        }
    }
}

fn main() {}
