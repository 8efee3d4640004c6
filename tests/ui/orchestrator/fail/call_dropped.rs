#![deny(unused_must_use)]

use durable::prelude::*;

#[orchestrator]
async fn order(ctx: &OrchestrationContext) {}

async fn client() {
    order();
}

fn main() {}
