use durable::prelude::*;

struct Receipt;

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<Receipt> {
    Ok(Receipt)
}

fn main() {}
