use durable::prelude::*;

#[entity]
async fn counter(ctx: &EntityContext, n: i64) -> i64 {
    n
}

#[orchestrator]
async fn good(ctx: &OrchestrationContext) -> Result<i64> {
    Ok(counter::at("a").operation("add", &5).await?)
}

fn main() {}
