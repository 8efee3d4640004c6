use durable::prelude::*;

#[activity]
async fn ping(mirror: u32) -> u32 {
    mirror
}

#[orchestrator]
async fn quickest(ctx: &OrchestrationContext) {
    let p = ping;
    let _ = durable::race((p(1), p(2), p(3), p(4), p(5), p(6), p(7), p(8), p(9))).await;
}

fn main() {}
