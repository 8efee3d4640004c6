use durable::prelude::*;

use std::time::Duration;

#[activity]
async fn ping(mirror: u32) -> u32 {
    mirror
}

#[orchestrator]
async fn slept(ctx: &OrchestrationContext) {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[orchestrator]
async fn timed_out(ctx: &OrchestrationContext) {
    let _ = tokio::time::timeout(Duration::from_secs(1), ping(1)).await;
}

#[orchestrator]
async fn selected(ctx: &OrchestrationContext) {
    tokio::select! {
        _ = ping(1) => {}
        _ = ping(2) => {}
    }
}

fn main() {}
