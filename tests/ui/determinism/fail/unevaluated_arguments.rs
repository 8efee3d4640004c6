//! Methods that advance the context's counters, in arguments that are not always evaluated.
#![allow(unused)]

use durable::prelude::*;

#[activity]
async fn charge(cents: u32) -> Result<u32> {
    Ok(cents)
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<u32> {
    tracing::info!(correlation = %ctx.new_guid(), "begins");
    tracing::debug!("drawn: {}", ctx.random_u64());
    debug_assert!(ctx.patched("checked"));
    let span = tracing::info_span!("order", task = ?charge(1).spawn());
    tracing::warn!("started {:?}", ctx.start(order()));
    Ok(1)
}

fn main() {}
