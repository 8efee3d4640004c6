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
    match ctx.lock_entities(Account::at("a")).await {
        Ok(section) => settle().await?,
        Err(_) => settle().await?,
    }
    let Ok(mut section) = ctx.lock_entities(Account::at("a")).await else { return settle().await.map_err(Into::into) };
    if section.withdraw(1).await.is_err() {
        drop(section);
        settle().await?;
        return Ok(());
    }
    let mut section = match ctx.lock_entities(Account::at("a")).await {
        Ok(section) => section,
        Err(_) => return Ok(()),
    };
    if section.withdraw(1).await.is_err() {
        settle().await?;
    }
    let parts = [1, 2].map(|_| async { settle().await });
    let section = durable::timeout(std::time::Duration::from_secs(1), ctx.lock_entities(Account::at("b"))).await;
    Ok(())
}

fn main() {}
