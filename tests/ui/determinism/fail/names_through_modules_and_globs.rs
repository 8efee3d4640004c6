//! Names that are reached through modules, globs and types.
#![allow(unused)]

use durable::prelude::*;

use std::env::*;
use std::time::Instant;

static COUNT: u32 = 1;

mod own {
    pub use std::time::Instant as Clock;
    pub static COUNT: u32 = 2;
}

thread_local! {
    static LAST: u32 = const { 1 };
}

type Prices<'a> = &'a std::collections::HashMap<String, u32>;

#[orchestrator]
async fn order(ctx: &OrchestrationContext) {
    let qualified = <Instant>::now();
    let ours = own::Clock::now();
    let itself = self::Instant::now();
    let whole = crate::Instant::now();
    let glob = var("REGION");
    let counts = [own::COUNT, crate::COUNT];
    LAST.with(|last| *last);
    let raw = std::time::r#Instant::now();
}

#[durable::helper]
async fn alias(prices: Prices<'_>) -> usize {
    prices.len()
}

mod inner {
    use super::*;
    use durable::prelude::*;

    #[orchestrator]
    pub async fn order(ctx: &OrchestrationContext) {
        let clock = own::Clock::now();
        let count = super::COUNT;
    }
}

fn main() {}
