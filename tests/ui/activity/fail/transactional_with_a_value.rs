#[path = "../support/bank.rs"]
mod bank;

use bank::Transaction;
use durable::prelude::*;

#[activity(transactional = true)]
async fn withdraw(tx: &mut Transaction<'_>, cents: u32) -> u32 {
    *tx.0 -= cents;
    *tx.0
}

fn main() {}
