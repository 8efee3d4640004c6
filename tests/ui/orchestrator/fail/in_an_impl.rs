#![allow(unused)]

use durable::prelude::*;

struct Shop;

impl Shop {
    #[activity]
    async fn charge(cents: u32) -> Result<u32> {
        Ok(cents)
    }

    #[orchestrator]
    async fn order(ctx: &OrchestrationContext) -> Result<u32> {
        Ok(Self::charge(1).await?)
    }
}

trait Sells {
    #[activity]
    async fn sell(cents: u32) -> Result<u32> {
        Ok(cents)
    }
}

#[orchestrator]
async fn day(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(Shop::order().await?)
}

fn main() {}
