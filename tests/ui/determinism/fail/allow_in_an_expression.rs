//! `#[durable::allow]` stands on a statement, not on a part of it.
#![allow(unused)]

use durable::prelude::*;

struct Order {
    debug: bool,
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> bool {
    let order = Order {
        #[durable::allow(DURABLE0006, reason = "always the same")]
        debug: std::env::args().any(|argument| argument == "--debug"),
    };
    order.debug
}

fn main() {}
