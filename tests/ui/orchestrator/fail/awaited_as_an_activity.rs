use durable::prelude::*;

#[orchestrator]
async fn child(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    Ok(n)
}

#[orchestrator]
async fn parent(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(child(1).await?)
}

fn main() {}
