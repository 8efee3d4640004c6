#![allow(unused)]

use durable::prelude::*;

#[path = "../account.rs"]
mod account;
use account::Account;

#[orchestrator]
async fn transfer(ctx: &OrchestrationContext) -> Result<()> {
    let mut section = ctx.lock_entities((Account::at("a"), Account::at("b"))).await?;
    let mut inner = ctx.lock_entities(Account::at("c")).await?;
    inner.deposit(1).await?;
    if let Ok(mut other) = ctx.lock_entities(Account::at("d")).await {
        other.deposit(1).await?;
    }
    Ok(())
}

fn main() {}
