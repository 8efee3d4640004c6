use durable::prelude::*;

#[orchestrator]
async extern "C" fn order(ctx: &OrchestrationContext) {}

fn main() {}
