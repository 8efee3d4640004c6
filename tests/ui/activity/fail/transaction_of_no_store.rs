use durable::prelude::*;

struct Transaction<'t>(&'t mut u32);

#[activity(transactional)]
async fn withdraw(tx: &mut Transaction<'_>, cents: u32) -> u32 {
    *tx.0 -= cents;
    *tx.0
}

fn main() {}
