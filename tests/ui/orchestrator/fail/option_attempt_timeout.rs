use durable::prelude::*;

#[orchestrator(attempt_timeout = "5s")]
async fn order(ctx: &OrchestrationContext) {}

fn main() {}
