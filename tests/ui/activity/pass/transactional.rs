//! Activities that run in a transaction of the store.

#![deny(warnings, missing_docs, unreachable_pub)]

#[path = "../support/bank.rs"]
#[allow(missing_docs, unreachable_pub)]
mod bank;

use bank::Transaction;
use durable::prelude::*;

struct Fee(u32);

#[activity(transactional)]
async fn withdraw(tx: &mut Transaction<'_>, account: &str, cents: u32) -> Result<u32> {
    let left = tx.0.checked_sub(cents);
    *tx.0 = left.ok_or_else(|| Error::msg(format!("{account} has too little")))?;
    Ok(*tx.0)
}

#[activity(transactional, retry(max_number_of_attempts = 3, first_retry_interval = "1s"), name = "deposit")]
async fn pay_in(
    ctx: &ActivityContext,
    tx: &mut bank::Transaction<'_>,
    fee: State<Fee>,
    names: &[String],
    cents: u32,
) -> u32 {
    *tx.0 += cents.saturating_sub(fee.0) * ctx.attempt() * u32::try_from(names.len()).unwrap_or(1);
    *tx.0
}

mod renamed {
    use super::bank::Transaction as Tx;
    use durable::prelude::*;

    #[activity(transactional)]
    pub(crate) async fn clear(tx: &mut Tx<'_>) {
        *tx.0 = 0;
    }
}

#[orchestrator]
async fn pay(ctx: &OrchestrationContext, account: String) -> Result<u32> {
    renamed::clear().await?;
    pay_in(std::slice::from_ref(&account), 7).await?;
    Ok(withdraw(&account, 5).await?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut balance = 10;
    let left = withdraw::run(&mut Transaction(&mut balance), "ann", 4).await;
    assert_eq!(left.map_err(|error| error.to_string()), Ok(6));
    assert!(withdraw::run(&mut Transaction(&mut balance), "ann", 7).await.is_err());
    assert_eq!(balance, 6);
    drop(pay("ann".into()));
    // A hub whose store has no such transactions does not open.
    let opened = TaskHub::builder().in_memory().state(Fee(1)).open().await;
    let error = opened.expect_err("a store in memory").to_string();
    assert!(error.contains("::bank::Bank` for `withdraw`"), "{error}");
}
