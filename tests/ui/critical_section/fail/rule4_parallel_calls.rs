#![allow(unused)]

use durable::prelude::*;

#[path = "../account.rs"]
mod account;
use account::Account;

#[orchestrator]
async fn transfer(ctx: &OrchestrationContext) -> Result<()> {
    let mut section = ctx.lock_entities((Account::at("a"), Account::at("b"))).await?;
    let both = durable::join((section.0.withdraw(1), section.0.deposit(1))).await;
    Ok(())
}

fn main() {}
