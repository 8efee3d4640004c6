use durable::prelude::*;

#[orchestrator]
async fn count(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    Ok(n)
}

#[orchestrator]
async fn report(ctx: &OrchestrationContext, n: u32) -> Result<String> {
    ctx.continue_as_new(count(n + 1)).await
}

fn main() {}
