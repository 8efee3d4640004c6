use durable::prelude::*;

#[activity]
async fn ping(mirror: u32) -> u32 {
    mirror
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) {
    let _ = durable::timeout(5, ping(1)).await;
}

fn main() {}
