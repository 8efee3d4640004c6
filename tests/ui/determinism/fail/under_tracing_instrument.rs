//! A body that `#[tracing::instrument]`, above our attribute, has rewritten.
#![allow(unused)]

use durable::prelude::*;

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<u32> {
    let __tracing_attr_span = ();
    let __tracing_instrument_future = async move { Ok(1) };
    __tracing_instrument_future.await
}

#[durable::helper]
async fn part() -> Result<u32> {
    let __tracing_attr_span = ();
    let __tracing_instrument_future = async move { Ok(1) };
    __tracing_instrument_future.await
}

#[orchestrator]
async fn caller(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(order().await? + part().await?)
}

fn main() {}
