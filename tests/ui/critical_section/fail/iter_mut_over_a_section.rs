//! A section over a list is iterated with `iter_mut`.
use durable::prelude::*;

#[path = "../account.rs"]
mod account;
use account::Account;

#[orchestrator]
async fn audit(ctx: &OrchestrationContext, keys: Vec<String>) -> Result<()> {
    let mut section = ctx.lock_entities(keys.iter().map(Account::at).collect::<Vec<_>>()).await?;
    for account in section {
        account.deposit(1).await?;
    }
    Ok(())
}

#[orchestrator]
async fn borrowed(ctx: &OrchestrationContext, keys: Vec<String>) -> Result<()> {
    let mut section = ctx.lock_entities(keys.iter().map(Account::at).collect::<Vec<_>>()).await?;
    for account in &mut section {
        account.deposit(1).await?;
    }
    Ok(())
}

fn main() {}
