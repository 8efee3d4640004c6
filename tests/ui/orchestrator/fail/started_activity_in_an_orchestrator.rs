use durable::prelude::*;

#[activity]
async fn charge(cents: u32) -> u32 {
    cents
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<()> {
    ctx.start(charge(5))?;
    Ok(())
}

fn main() {}
