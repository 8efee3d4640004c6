use durable::prelude::*;

#[activity]
async fn charge(cents: u32) -> u32 {
    cents
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext, cents: u32) -> u32 {
    ctx.continue_as_new(charge(cents)).await
}

fn main() {}
