use durable::prelude::*;

#[orchestrator(transactional)]
async fn order(ctx: &OrchestrationContext) {}

fn main() {}
