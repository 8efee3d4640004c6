//! Return types of an orchestrator.

#![deny(warnings, missing_docs, unreachable_pub)]

use serde::{Deserialize, Serialize};

use durable::prelude::*;

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("out of {what}")]
struct OutOf {
    what: String,
}

#[orchestrator]
async fn nothing(ctx: &OrchestrationContext) {}

#[orchestrator]
async fn plain(ctx: &OrchestrationContext) -> Vec<u32> {
    vec![1]
}

#[orchestrator]
async fn result(ctx: &OrchestrationContext) -> Result<()> {
    Ok(())
}

#[orchestrator]
async fn own_error(ctx: &OrchestrationContext) -> Result<u32, OutOf> {
    Err(OutOf { what: "stock".to_owned() })
}

/// Never runs.
async fn client(hub: &TaskHub) -> Result<u32> {
    let (): () = hub.start(nothing()).await?.result().await?;
    let all: Vec<u32> = hub.start(plain()).await?.result().await?;
    let (): () = hub.start(result()).await?.result().await?;
    Ok(hub.start(own_error()).await?.result().await? + all[0])
}

fn main() {
    let _ = client;
}
