#[path = "../support/bank.rs"]
mod bank;

use bank::Transaction;
use durable::prelude::*;

#[activity(transactional)]
async fn withdraw(tx: Transaction<'_>, cents: u32) -> u32 {
    *tx.0 -= cents;
    *tx.0
}

#[activity(transactional)]
async fn balance(tx: &Transaction<'_>) -> u32 {
    *tx.0
}

fn main() {}
