use durable::prelude::*;

#[orchestrator]
const async fn order(ctx: &OrchestrationContext) {}

fn main() {}
