use durable::prelude::*;

#[entity]
async fn counter(ctx: &EntityContext) -> i64 {
    1
}

#[orchestrator]
async fn wrong(ctx: &OrchestrationContext) -> Result<i64> {
    Ok(counter("a").await?)
}

fn main() {}
