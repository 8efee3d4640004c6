//! Parameters of an orchestrator.

#![deny(warnings, missing_docs, unreachable_pub)]

use durable::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Order {
    cents: u32,
}

#[orchestrator]
async fn none(ctx: &OrchestrationContext) {}

#[orchestrator]
async fn one(ctx: &OrchestrationContext, order: Order) -> u32 {
    order.cents
}

#[orchestrator]
async fn several(ctx: &OrchestrationContext, id: &str, all: &[Order], mut n: u32) -> String {
    n += u32::try_from(all.len()).unwrap_or(n);
    format!("{id} {n} {}", ctx.instance_id())
}

#[orchestrator]
async fn patterns(_: &OrchestrationContext, (a, b): (u32, u32), order: &Order) -> u32 {
    a + b + order.cents
}

fn main() {
    let order = || Order { cents: 5 };
    drop((none(), one(order()), several("a", &[order()], 1), patterns((1, 2), &order())));
}
