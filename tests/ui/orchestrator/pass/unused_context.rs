//! The context is required even if it is unused.

#![deny(warnings, missing_docs, unreachable_pub)]

use durable::prelude::*;

#[activity]
async fn double(n: u32) -> u32 {
    2 * n
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    Ok(double(n).await?)
}

fn main() {
    drop(order(1));
}
