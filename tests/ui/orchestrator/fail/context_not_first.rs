use durable::prelude::*;

#[orchestrator]
async fn order(cents: u32, ctx: &OrchestrationContext) -> u32 {
    cents
}

fn main() {}
