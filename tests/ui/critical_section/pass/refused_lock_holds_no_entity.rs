//! A lock that was refused holds no entity.
use std::time::Duration;

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
    let section = ctx.lock_entities(Account::at("a")).await;
    match section {
        Ok(mut section) => section.deposit(1).await?,
        Err(_) => settle().await?,
    }
    Ok(())
}

#[orchestrator]
async fn by_question(ctx: &OrchestrationContext) -> Result<()> {
    let section = ctx.lock_entities(Account::at("a")).await;
    if section.is_err() {
        settle().await?;
        return Ok(());
    }
    section?.deposit(1).await?;
    Ok(())
}

#[orchestrator]
async fn in_time(ctx: &OrchestrationContext) -> Result<()> {
    let lock = ctx.lock_entities(Account::at("a"));
    let Ok(section) = durable::timeout(Duration::from_secs(1), lock).await else {
        settle().await?;
        return Ok(());
    };
    match section {
        Ok(mut section) => section.deposit(1).await?,
        Err(_) => settle().await?,
    }
    Ok(())
}

fn main() {
    let _ = (by_match(), by_question(), in_time());
}
