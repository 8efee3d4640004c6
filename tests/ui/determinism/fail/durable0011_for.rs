//! Other endless loops.
use durable::prelude::*;

#[activity]
async fn double(n: u32) -> u32 {
    2 * n
}

#[orchestrator]
async fn count(ctx: &OrchestrationContext) -> Result<u32> {
    for n in 0.. {
        double(n).await?;
    }
    Ok(1)
}

#[orchestrator]
async fn last(ctx: &OrchestrationContext) -> Result<u32> {
    while true {
        double(1).await?;
    }
}

fn main() {}
