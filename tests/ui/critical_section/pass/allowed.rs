#![allow(unused)]

use std::time::Duration;

use durable::prelude::*;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Account(i64);

#[entity]
impl Account {
    fn withdraw(&mut self, cents: i64) -> Result<()> {
        self.0 -= cents;
        Ok(())
    }

    fn deposit(&mut self, cents: i64) {
        self.0 += cents;
    }
}

#[activity]
async fn audit(cents: i64) -> Result<()> {
    Ok(())
}

#[orchestrator]
async fn settle(ctx: &OrchestrationContext) -> Result<()> {
    Ok(())
}

#[durable::event]
#[derive(serde::Serialize, serde::Deserialize)]
struct Approved;

#[durable::helper]
async fn approved(ctx: &OrchestrationContext) -> Result<()> {
    ctx.wait_for_external_event::<Approved>("Approved").await?;
    Ok(())
}

#[orchestrator]
async fn transfer(ctx: &OrchestrationContext, cents: i64) -> Result<()> {
    let mut section = ctx.lock_entities((Account::at("a"), Account::at("b"))).await?;
    audit(cents).await?;
    durable::join_all([audit(1), audit(2)]).await;
    ctx.create_timer(Duration::from_secs(1)).await;
    approved(ctx).await?;
    Account::at("c").deposit(1).signal()?;
    ctx.start(settle().instance_id("detached"));
    section.0.withdraw(cents).await?;
    section.1.deposit(cents).await?;
    let (from, to) = &mut *section;
    let (withdrawn, deposited) = durable::join((from.withdraw(1), to.deposit(1))).await;
    let part = async {
        section.0.withdraw(1).await?;
        audit(1).await
    };
    durable::timeout(Duration::from_secs(1), part).await;
    assert!(section.1.deposit(1).await.is_ok());
    drop(section);
    settle().await?;
    Account::at("c").withdraw(1).await?;

    let mut second = ctx.lock_entities(vec![Account::at("a"), Account::at("b")]).await?;
    for account in &mut *second {
        account.deposit(1).await?;
    }
    Ok(())
}

#[orchestrator]
async fn ends(ctx: &OrchestrationContext, cents: i64) -> Result<()> {
    let withdrawn = {
        let mut section = ctx.lock_entities(Account::at("a")).await?;
        section.withdraw(cents).await
    };
    settle().await?;
    if let Ok(mut section) = ctx.lock_entities(Account::at("a")).await {
        section.deposit(cents).await?;
    } else {
        settle().await?;
    }
    ctx.lock_entities(Account::at("a")).await?.deposit(cents).await?;
    let left = ctx.lock_entities(Account::at("a")).await?.withdraw(cents).await;
    settle().await?;
    let section = ctx.lock_entities(Account::at("a")).await?;
    if cents > 5 {
        std::mem::drop(section);
        settle().await?;
    }
    settle().await?; // not known here: left to the run time
    let mut section = ctx.lock_entities(Account::at("a")).await?;
    let part = async move { section.deposit(1).await };
    part.await?;
    settle().await?;
    Ok(())
}

#[durable::helper]
async fn held_for<K>(section: durable::entity::CriticalSection<K>, cents: i64) -> Result<()> {
    audit(cents).await?;
    Ok(())
}

#[orchestrator]
async fn gives_away(ctx: &OrchestrationContext) -> Result<()> {
    let section = ctx.lock_entities(Account::at("a")).await?;
    held_for(section, 1).await?;
    settle().await?;
    Ok(())
}

fn main() {}
