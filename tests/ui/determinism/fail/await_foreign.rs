#![allow(unused)]

use durable::prelude::*;

use std::pin::Pin;
use tokio::time::sleep as rest;

#[activity]
async fn double(n: u32) -> u32 {
    2 * n
}

async fn of_ones_own(n: u32) -> Result<u32> {
    Ok(double(n).await?)
}

fn boxed() -> Pin<Box<dyn Future<Output = u32>>> {
    Box::pin(async { 1 })
}

struct Shop;

impl Shop {
    async fn open(&self) {}
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<u32> {
    let sum = of_ones_own(1).await?;
    let boxed = boxed().await;
    std::future::ready(()).await;
    Shop.open().await;
    let (one, two) = durable::join((double(1), async { of_ones_own(2).await })).await;
    let parts = [1, 2].map(|n| async move { of_ones_own(n).await });
    let text = format!("{}", of_ones_own(4).await?);
    Ok(sum)
}

#[orchestrator]
async fn by_name(ctx: &OrchestrationContext) {
    rest(std::time::Duration::from_secs(1)).await;
}

#[durable::helper]
async fn wait<F: Future<Output = u32>>(future: F) -> u32 {
    future.await
}

fn main() {}
