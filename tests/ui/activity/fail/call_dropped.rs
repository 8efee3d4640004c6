#![deny(unused_must_use)]

use durable::prelude::*;

#[activity]
async fn charge(cents: u32) -> Result<u32> {
    Ok(cents)
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<()> {
    charge(5);
    Ok(())
}

fn main() {}
