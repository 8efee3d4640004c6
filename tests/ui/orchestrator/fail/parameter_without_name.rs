use durable::prelude::*;

#[orchestrator]
async fn order(ctx: &OrchestrationContext, _: u32) {}

fn main() {}
