//! A helper in a trait with `#[async_trait]`, which rewrites it.
#![allow(unused)]

use std::pin::Pin;

use durable::prelude::*;

trait Shop {
    #[durable::helper]
    fn price<'life0, 'async_trait>(
        &'life0 self,
    ) -> Pin<Box<dyn Future<Output = u32> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait;
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(total(&Local).await)
}

struct Local;

impl Shop for Local {
    #[durable::helper]
    fn price<'life0, 'async_trait>(
        &'life0 self,
    ) -> Pin<Box<dyn Future<Output = u32> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move { 1 })
    }
}

#[durable::helper]
async fn total(shop: &dyn Shop) -> u32 {
    shop.price().await
}

fn main() {}
