use durable::prelude::*;

#[orchestrator(version = "1", version = "2")]
async fn order(ctx: &OrchestrationContext) {}

fn main() {}
