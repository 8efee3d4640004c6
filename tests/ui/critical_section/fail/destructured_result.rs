//! A critical section begins where the `Result` of a lock is destructured.
use durable::prelude::*;

#[path = "../account.rs"]
mod account;
use account::Account;

#[orchestrator]
async fn settle(ctx: &OrchestrationContext) -> Result<()> {
    Ok(())
}

#[orchestrator]
async fn by_match(ctx: &OrchestrationContext) -> Result<()> {
    let locked = ctx.lock_entities(Account::at("a")).await;
    match locked {
        Ok(_section) => settle().await?,
        Err(_) => settle().await?,
    }
    Ok(())
}

#[orchestrator]
async fn by_operator(ctx: &OrchestrationContext) -> Result<()> {
    let locked = ctx.lock_entities(Account::at("a")).await;
    let _section = locked?;
    settle().await?;
    Ok(())
}

#[orchestrator]
async fn by_else(ctx: &OrchestrationContext) -> Result<()> {
    let locked = ctx.lock_entities(Account::at("a")).await;
    let Ok(_section) = locked else { return Ok(()) };
    settle().await?;
    Ok(())
}

fn main() {}
