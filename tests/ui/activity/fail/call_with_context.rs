use durable::prelude::*;

#[activity]
async fn charge(ctx: &ActivityContext, cents: u32) -> Result<String> {
    Ok(format!("{} {cents}", ctx.attempt()))
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<String> {
    Ok(charge(ctx, 5).await?)
}

fn main() {}
