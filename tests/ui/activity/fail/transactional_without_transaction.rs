use durable::prelude::*;

#[activity(transactional)]
async fn withdraw(account: String, cents: u32) -> u32 {
    cents + u32::try_from(account.len()).unwrap_or_default()
}

#[activity(transactional)]
async fn deposit(ctx: &ActivityContext, cents: u32) -> u32 {
    cents + ctx.attempt()
}

fn main() {}
