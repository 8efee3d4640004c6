use durable::prelude::*;

#[durable::helper(name = "wait")]
async fn named() {}

#[durable::helper(crate = "durable")]
async fn quoted() {}

#[durable::deterministic(fast)]
fn other() {}

fn main() {}
