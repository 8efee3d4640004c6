//! A module in which every name of the standard library means something else.

#![deny(warnings, missing_docs, unreachable_pub)]

use durable::prelude::*;

#[allow(dead_code)]
mod shadows {
    pub(crate) mod core {}
    pub(crate) mod std {}
    pub(crate) mod serde_json {}
    pub(crate) struct Box;
    pub(crate) struct Call;
    pub(crate) struct Error;
    pub(crate) struct Ok;
    pub(crate) struct Option;
    pub(crate) struct String;
    pub(crate) struct Vec;
    pub(crate) trait Activity {}
    pub(crate) trait Future {}
}

#[allow(unused_imports)]
use shadows::*;

#[activity]
async fn charge(name: &str, cents: &[u32]) -> u32 {
    cents.iter().sum::<u32>() + name.len() as u32
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext, cents: u32) -> u32 {
    charge("a", &[cents]).await.map_or(0, |n| n)
}

fn main() {
    drop(order(5));
}
