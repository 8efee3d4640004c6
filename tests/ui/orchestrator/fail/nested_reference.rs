use durable::prelude::*;

#[orchestrator]
async fn order(ctx: &OrchestrationContext, items: Vec<&str>) -> usize {
    items.len()
}

fn main() {}
