//! Shared state, which is not part of the call.

#![deny(warnings, missing_docs, unreachable_pub)]

use std::sync::Mutex;

use durable::prelude::*;

struct Prices {
    per_item: u32,
}

#[activity]
async fn price(prices: State<Prices>, items: u32) -> u32 {
    prices.per_item * items
}

#[activity]
fn count(ctx: &ActivityContext, name: &str, counter: &durable::State<Mutex<u32>>) -> Result<u32> {
    let mut counter = counter.lock().map_err(|_| Error::msg("poisoned"))?;
    *counter += ctx.attempt() + u32::try_from(name.len())?;
    Ok(*counter)
}

#[activity]
async fn texts(name: State<&str>, names: State<Vec<&'static str>>) -> bool {
    names.contains(&*name)
}

fn main() {
    drop((price(3), count("a"), texts()));
}
