use durable::prelude::*;

#[activity]
async fn double(n: u32) -> u32 {
    2 * n
}

async fn of_ones_own(n: u32) -> Result<u32> {
    Ok(n)
}

#[orchestrator]
async fn in_a_tuple(ctx: &OrchestrationContext) {
    let _ = durable::join((double(1), of_ones_own(2))).await;
}

#[orchestrator]
async fn in_an_array(ctx: &OrchestrationContext) {
    let _ = durable::join_all([of_ones_own(3)]).await;
}

fn main() {}
