//! The context, by every name.

#![deny(warnings, missing_docs, unreachable_pub)]

use durable::prelude::*;

#[activity]
async fn used(ctx: &ActivityContext) -> String {
    ctx.idempotency_key()
}

#[activity]
async fn unused(_ctx: &ActivityContext) {}

#[activity]
async fn without_name(_: &ActivityContext, n: u32) -> u32 {
    n
}

#[activity]
async fn with_path(ctx: &durable::ActivityContext) -> u32 {
    ctx.attempt()
}

fn main() {
    drop((used(), unused(), without_name(1), with_path()));
}
