//! Options of the attribute.

#![deny(warnings, missing_docs, unreachable_pub)]

use durable::prelude::*;

mod sdk {
    pub(crate) use ::durable;
}

#[orchestrator(name = "Order", version = "1")]
async fn order(ctx: &OrchestrationContext) {}

#[orchestrator(name = "Order", version = "2", crate = self::sdk::durable)]
async fn order_2(ctx: &OrchestrationContext) -> Result<String> {
    Ok(ctx.instance_id().to_string())
}

fn main() {
    drop((order(), order_2().instance_id("order-17")));
}
