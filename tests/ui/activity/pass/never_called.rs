//! An activity that no code calls causes no dead-code warning.

#![deny(warnings, missing_docs, unreachable_pub)]

use durable::prelude::*;

#[activity(version = "1")]
async fn charge(cents: u32) -> u32 {
    cents
}

#[orchestrator(version = "1")]
async fn order(ctx: &OrchestrationContext) {}

fn main() {}
