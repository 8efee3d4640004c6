//! What the bank does: offices send money between accounts.

use std::time::Duration;

use durable::prelude::*;
use serde::{Deserialize, Serialize};

pub(crate) const ACCOUNTS: u64 = 20;
/// How many transfers an office makes.
pub(crate) const TRANSFERS: u64 = 25;

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) cents: i64,
}

#[entity]
impl Account {
    fn add(&mut self, cents: i64) {
        self.cents += cents;
    }
}

/// The transfers of an office, counted one by one.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Statistics {
    pub(crate) transfers: u64,
}

#[entity]
impl Statistics {
    fn count(&mut self) {
        self.transfers += 1;
    }
}

/// How much the n-th transfer of an office moves.
#[durable::deterministic]
pub(crate) fn cents(n: u64) -> i64 {
    100 + i64::try_from(n).unwrap_or_default()
}

/// Starts its transfers, and waits for the receipt that each of them sends.
#[orchestrator]
pub(crate) async fn office(ctx: &OrchestrationContext, number: u64) -> Result<i64> {
    let transfers = (0..TRANSFERS).map(|n| {
        let from = number * 7 + n;
        let call = transfer(from % ACCOUNTS, (from + 1 + n % 5) % ACCOUNTS, cents(n));
        call.instance_id(format!("transfer-{number:03}-{n:02}")).spawn()
    });
    let transfers: Vec<_> = transfers.collect();
    let mut moved = 0;
    for _ in &transfers {
        moved += ctx.wait_for_external_event::<i64>("Receipt").await?;
    }
    durable::try_join_all(transfers).await?;
    Ok(moved)
}

/// Moves money. Both accounts are locked in the meantime, even if different processes own them.
#[orchestrator]
async fn transfer(ctx: &OrchestrationContext, from: u64, to: u64, cents: i64) -> Result<()> {
    check_for_fraud(from, to).await?;
    let both = (Account::at(from.to_string()), Account::at(to.to_string()));
    let mut accounts = ctx.lock_entities(both).await?;
    let (from, to) = &mut *accounts;
    from.add(-cents).await?;
    to.add(cents).await?;
    drop(accounts);
    ctx.create_timer(Duration::from_millis(300)).await;
    if let Some(office) = ctx.parent() {
        Statistics::at(office.instance_id.as_str()).count().signal()?;
        ctx.send_event(&office.instance_id, "Receipt", &cents)?;
    }
    Ok(())
}

/// A remote service that takes its time. If its process dies, another one asks again.
#[activity]
async fn check_for_fraud(_from: u64, to: u64) -> Result<()> {
    tokio::time::sleep(Duration::from_millis(20 + to * 5)).await;
    Ok(())
}
