use durable::prelude::*;

use std::time::Instant;

#[orchestrator]
#[durable::allow(DURABLE0001)]
async fn on_a_function(ctx: &OrchestrationContext) {
    let _ = Instant::now();
}

#[orchestrator]
async fn on_a_statement(ctx: &OrchestrationContext) {
    #[durable::allow(DURABLE0001)]
    let _ = Instant::now();
    #[durable::allow(DURABLE0001, reason = " ")]
    let _ = Instant::now();
}

#[durable::allow]
#[durable::helper]
async fn nothing() {}

#[durable::helper]
#[durable::allow]
async fn nothing_below() {}

#[durable::helper]
#[durable::allow(reason = "of what?")]
async fn reason_only() {}

#[durable::helper]
#[durable::allow()]
async fn empty() {}

fn main() {}
