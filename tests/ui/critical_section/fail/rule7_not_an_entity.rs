#![allow(unused)]

use durable::prelude::*;

#[path = "../account.rs"]
mod account;
use account::Account;

#[orchestrator]
async fn transfer(ctx: &OrchestrationContext) -> Result<()> {
    let section = ctx.lock_entities(5).await?;
    Ok(())
}

fn main() {}
