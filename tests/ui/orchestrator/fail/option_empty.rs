use durable::prelude::*;

#[orchestrator(version = "")]
async fn order(ctx: &OrchestrationContext) {}

fn main() {}
