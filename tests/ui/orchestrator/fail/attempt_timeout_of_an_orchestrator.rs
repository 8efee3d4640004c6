use std::time::Duration;

use durable::prelude::*;

#[orchestrator]
async fn child(ctx: &OrchestrationContext) {}

#[orchestrator]
async fn parent(ctx: &OrchestrationContext) -> Result<()> {
    Ok(child().attempt_timeout(Duration::from_secs(1)).await?)
}

fn main() {}
