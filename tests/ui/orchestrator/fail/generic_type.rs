use durable::prelude::*;

#[orchestrator]
async fn order<T>(ctx: &OrchestrationContext, item: T) -> T {
    item
}

fn main() {}
