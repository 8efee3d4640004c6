use durable::prelude::*;

#[activity]
async fn charge(cents: u32, card: &str) -> Result<String> {
    Ok(format!("{cents} {card}"))
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<String> {
    Ok(charge("5", "visa").await?)
}

fn main() {}
