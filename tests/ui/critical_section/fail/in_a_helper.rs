#![allow(unused)]

use durable::prelude::*;

#[path = "../account.rs"]
mod account;
use account::Account;

#[durable::helper]
async fn transfer(ctx: &OrchestrationContext) -> Result<()> {
    let mut section = ctx.lock_entities(Account::at("a")).await?;
    section.withdraw(1).await?;
    Account::at("b").deposit(1).await?;
    Ok(())
}

fn main() {}
