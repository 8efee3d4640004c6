#![deny(unused_must_use)]

use std::time::Duration;

use durable::prelude::*;

#[orchestrator]
async fn order(ctx: &OrchestrationContext) {
    ctx.create_timer(Duration::from_secs(5));
}

fn main() {}
