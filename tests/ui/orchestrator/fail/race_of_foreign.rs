use durable::prelude::*;

#[activity]
async fn ping(mirror: u32) -> u32 {
    mirror
}

async fn of_ones_own() {}

#[orchestrator]
async fn quickest(ctx: &OrchestrationContext) {
    let _ = durable::race((ping(1), of_ones_own())).await;
}

fn main() {}
