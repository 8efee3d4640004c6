use durable::prelude::*;

#[derive(Debug, thiserror::Error)]
#[error("declined")]
struct Declined;

#[activity]
async fn charge() -> Result<u32, Declined> {
    Err(Declined)
}

#[orchestrator]
async fn caller(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(charge().await?)
}

fn main() {}
