use durable::prelude::*;

#[orchestrator(max_concurrent = 8)]
async fn order(ctx: &OrchestrationContext) {}

fn main() {}
