#![allow(unused)]

use durable::prelude::*;

#[path = "../account.rs"]
mod account;
use account::Account;

#[orchestrator]
async fn settle(ctx: &OrchestrationContext) -> Result<()> {
    Ok(())
}

#[orchestrator]
async fn transfer(ctx: &OrchestrationContext) -> Result<()> {
    let mut section = ctx.lock_entities(Account::at("a")).await?;
    settle().await?;
    for _ in 0..2 {
        settle().await?;
    }
    let later = async { settle().instance_id("later").await };
    Ok(())
}

fn main() {}
