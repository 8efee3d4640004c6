#![allow(unused)]

use durable::prelude::*;

#[path = "../account.rs"]
mod account;
use account::Account;

#[orchestrator]
async fn transfer(ctx: &OrchestrationContext) -> Result<()> {
    let _ = ctx.lock_entities(Account::at("a")).await?;
    ctx.lock_entities(Account::at("a")).await?;
    _ = ctx.lock_entities(Account::at("a")).await;
    let Ok(_) = ctx.lock_entities(Account::at("a")).await else { return Ok(()) };
    let _ = ctx.lock_entities(Account::at("a"));
    Ok(())
}

fn main() {}
