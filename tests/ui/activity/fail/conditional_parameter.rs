//! A parameter with a condition.
#![allow(unexpected_cfgs)]

use durable::prelude::*;

#[activity]
async fn pay(cents: u32, #[cfg(feature = "fees")] fee: u32) -> Result<u32> {
    Ok(cents)
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(pay(1).await?)
}

fn main() {}
