use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Approval {
    by: String,
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<String> {
    Ok(ctx.wait_for_event::<Approval>().await?.by)
}

fn main() {}
