//! An unfinished body is a single error, without further errors at callers or neighbors.
#![allow(unused)]

use durable::prelude::*;

struct Mutex;

impl Mutex {
    fn new() -> Self {
        Self
    }
}

#[activity]
async fn reserve(n: u32) -> Result<u32> {
    let left = ;
    Ok(n)
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    reserve(n).;
    Ok(n)
}

#[durable::helper]
async fn part(n: u32) -> Result<u32> {
    reserve(n).;
    Ok(n)
}

#[orchestrator]
async fn all(ctx: &OrchestrationContext) -> Result<u32> {
    let own = Mutex::new();
    Ok(order(1).await? + reserve(1).await? + part(1).await?)
}

fn main() {}
