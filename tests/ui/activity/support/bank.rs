//! A store's transactions, on a number in memory.

use std::sync::Mutex;

use durable::protocol::{FailureDetails, Json};
use durable::store::{ActivityEffect, TransactionBody, Transactions};

#[derive(Debug, Default)]
pub struct Bank(Mutex<u32>);

#[derive(Debug)]
pub struct Transaction<'t>(pub &'t mut u32);

impl durable::store::Transaction for Transaction<'_> {
    type Transactions = Bank;
}

impl Transactions for Bank {
    type Transaction<'t> = Transaction<'t>;

    async fn run<F>(&self, effect: &ActivityEffect, body: F) -> Result<Json, FailureDetails>
    where
        F: for<'b, 't> FnOnce(&'b mut Transaction<'t>) -> TransactionBody<'b> + Send + 'static,
    {
        let mut balance = self.0.lock().map_or(0, |balance| *balance);
        let output = body(&mut Transaction(&mut balance)).await?;
        effect.begin_commit()?;
        if let Ok(mut stored) = self.0.lock() {
            *stored = balance;
        }
        Ok(output)
    }
}
