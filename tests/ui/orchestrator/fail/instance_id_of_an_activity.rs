use durable::prelude::*;

#[activity]
async fn charge(cents: u32) -> u32 {
    cents
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(charge(5).instance_id("charge-5").await?)
}

fn main() {}
