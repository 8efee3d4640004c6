use durable::prelude::*;

#[orchestrator]
async unsafe fn order(ctx: &OrchestrationContext) {}

fn main() {}
