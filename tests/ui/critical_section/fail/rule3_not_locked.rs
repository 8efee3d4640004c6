#![allow(unused)]

use durable::prelude::*;

#[path = "../account.rs"]
mod account;
use account::Account;

#[orchestrator]
async fn transfer(ctx: &OrchestrationContext) -> Result<()> {
    let mut section = ctx.lock_entities((Account::at("a"), Account::at("b"))).await?;
    Account::at("c").deposit(5).await?;
    Ok(())
}

fn main() {}
