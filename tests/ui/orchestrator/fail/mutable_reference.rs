use durable::prelude::*;

#[orchestrator]
async fn order(ctx: &OrchestrationContext, items: &mut Vec<u32>) {
    items.sort();
}

fn main() {}
