//! Attributes at the beginning of a body.
#![deny(warnings)]

use durable::prelude::*;

#[activity]
async fn count(n: u32) -> Result<u32> {
    #![allow(unused_variables)]
    let unused = 1;
    Ok(n)
}

#[durable::helper]
async fn part(n: u32) -> Result<u32> {
    #![allow(unused_variables)]
    let unused = 1;
    Ok(count(n).await?)
}

#[durable::deterministic]
fn next(n: u32) -> u32 {
    #![allow(unused_variables)]
    let unused = 1;
    n + 1
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<u32> {
    #![allow(unused_variables)]
    let unused = 1;
    part(next(1)).await
}

fn main() {
    let _ = order();
}
