use durable::prelude::*;

struct Item(u32);

#[orchestrator]
async fn order(ctx: &OrchestrationContext, item: Item) -> Result<u32> {
    Ok(item.0)
}

fn main() {}
