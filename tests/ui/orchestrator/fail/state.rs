use durable::prelude::*;

struct Prices {
    per_item: u32,
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext, prices: State<Prices>, items: u32) -> u32 {
    prices.per_item * items
}

fn main() {}
