use durable::prelude::*;

struct Transaction<'t>(&'t mut u32);

#[activity]
async fn withdraw(tx: &mut Transaction<'_>, cents: u32) -> u32 {
    *tx.0 -= cents;
    *tx.0
}

#[orchestrator]
async fn pay(ctx: &OrchestrationContext, cents: u32) -> Result<u32> {
    Ok(withdraw(cents).await?)
}

fn main() {}
