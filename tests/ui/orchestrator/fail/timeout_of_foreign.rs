use std::time::Duration;

use durable::prelude::*;

async fn of_ones_own() {}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) {
    let _ = durable::timeout(Duration::from_secs(5), of_ones_own()).await;
}

fn main() {}
