#![allow(unused)]

use durable::prelude::*;

#[path = "../account.rs"]
mod account;
use account::Account;

#[orchestrator]
async fn transfer(ctx: &OrchestrationContext) -> Result<()> {
    let mut section = ctx.lock_entities(Account::at("a")).await?;
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
