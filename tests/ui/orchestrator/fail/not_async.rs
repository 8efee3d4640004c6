use durable::prelude::*;

#[activity]
async fn charge(cents: u32) -> Result<u32> {
    Ok(cents)
}

#[orchestrator]
fn order(ctx: &OrchestrationContext, cents: u32) -> Result<u32> {
    Ok(charge(cents).await?)
}

fn main() {}
