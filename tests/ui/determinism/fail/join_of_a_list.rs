use durable::prelude::*;

#[activity]
async fn double(n: u32) -> u32 {
    2 * n
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) {
    let calls: Vec<_> = (0..3).map(|n| double(n)).collect();
    let _ = durable::join(calls).await;
}

fn main() {}
