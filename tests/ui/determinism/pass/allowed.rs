//! Exceptions that are allowed with a reason, in any position.

#![deny(warnings)]

use durable::prelude::*;

use std::collections::HashMap;
use std::time::Instant;

#[activity]
async fn poll() -> bool {
    true
}

#[durable::allow(DURABLE0001, reason = "the clock is only looked at")]
#[orchestrator]
async fn above(ctx: &OrchestrationContext) {
    let _ = Instant::now();
}

#[orchestrator]
#[durable::allow(DURABLE0001, DURABLE0010, reason = "the clock is only looked at")]
async fn below(ctx: &OrchestrationContext) {
    println!("{:?}", Instant::now());
}

#[durable::allow(DURABLE0001, reason = "the clock is only looked at")]
#[orchestrator]
#[durable::allow(DURABLE0022, reason = "never looped over")]
async fn around(ctx: &OrchestrationContext, prices: HashMap<String, u32>) -> Option<u32> {
    let _ = Instant::now();
    prices.get("tea").copied()
}

#[orchestrator]
async fn statements(ctx: &OrchestrationContext) -> Result<u32> {
    #[durable::allow(DURABLE0001, reason = "the clock is only looked at")]
    let _now = Instant::now();
    #[durable::allow(DURABLE0010, reason = "it may be printed twice")]
    println!("ordered");
    #[durable::allow(DURABLE0010, reason = "it may be printed twice")]
    {
        println!("ordered");
    }
    #[durable::allow(DURABLE0001, reason = "the clock is only looked at")]
    std::hint::black_box(Instant::now());
    #[durable::allow(DURABLE0001, reason = "the clock is only looked at")]
    if Instant::now().elapsed().is_zero() {
        poll().await?;
    }
    #[durable::allow(DURABLE0011, reason = "ended by the operator")]
    loop {
        poll().await?;
    }
}

#[orchestrator]
async fn item(ctx: &OrchestrationContext) -> u32 {
    #[durable::allow(DURABLE0023, reason = "never changed")]
    static LIMIT: u32 = 5;
    LIMIT
}

#[orchestrator]
async fn tail(ctx: &OrchestrationContext) -> bool {
    let many = match ctx.name() {
        #[durable::allow(DURABLE0006, reason = "in a test only")]
        "tail" => std::env::args().count() > 1,
        _ => false,
    };
    many
}

#[orchestrator]
async fn unary(ctx: &OrchestrationContext) -> bool {
    #[durable::allow(DURABLE0006, reason = "in a test only")]
    !std::env::args().any(|argument| argument == "--prod")
}

#[orchestrator]
async fn dereferenced(ctx: &OrchestrationContext) -> u32 {
    #[durable::allow(DURABLE0022, reason = "never looped over")]
    *HashMap::from([("tea", 1)]).get("tea").unwrap_or(&0)
}

#[orchestrator]
async fn indexed(ctx: &OrchestrationContext) -> u32 {
    #[durable::allow(DURABLE0022, reason = "never looped over")]
    HashMap::from([("tea", 1)])["tea"]
}

#[orchestrator]
async fn compared(ctx: &OrchestrationContext) -> bool {
    #[durable::allow(DURABLE0006, reason = "in a test only")]
    std::env::args().count() as u32 == 1
}

#[orchestrator]
async fn borrowed(ctx: &OrchestrationContext) -> usize {
    let count = {
        #[durable::allow(DURABLE0006, reason = "in a test only")]
        &std::env::args().count()
    };
    *count
}

#[durable::allow(DURABLE0001, reason = "the clock is only looked at")]
#[durable::helper]
async fn helper() {
    let _ = Instant::now();
}

struct Shop;

impl Shop {
    #[durable::helper]
    #[durable::allow(DURABLE0001, reason = "the clock is only looked at")]
    async fn open(&self) {
        let _ = Instant::now();
    }

    #[durable::allow(DURABLE0006, reason = "in a test only")]
    #[durable::deterministic]
    fn is_test(&self) -> bool {
        std::env::args().count() > 1
    }
}

fn main() {
    drop((above(), below(), around(HashMap::new()), statements(), item(), tail()));
    drop((unary(), dereferenced(), indexed(), compared(), borrowed()));
    drop((helper(), Shop.open(), Shop.is_test()));
}
