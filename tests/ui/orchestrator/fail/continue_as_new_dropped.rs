#![deny(unused_must_use)]

use durable::prelude::*;

#[orchestrator]
async fn count(ctx: &OrchestrationContext, n: u32) {
    ctx.continue_as_new(count(n + 1));
}

fn main() {}
