#[path = "../support/bank.rs"]
mod bank;

use bank::Transaction;
use durable::prelude::*;

#[activity(transactional)]
async fn withdraw(cents: u32, tx: &mut Transaction<'_>) -> u32 {
    *tx.0 -= cents;
    *tx.0
}

#[orchestrator]
async fn pay(ctx: &OrchestrationContext, cents: u32) -> Result<u32> {
    Ok(withdraw(cents).await?)
}

fn main() {}
