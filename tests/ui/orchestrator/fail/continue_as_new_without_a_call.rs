use durable::prelude::*;

#[orchestrator]
async fn count(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    ctx.continue_as_new(n + 1).await
}

fn main() {}
