//! The function's name as a type: of a handle, and of a registration.

#![deny(warnings, missing_docs, unreachable_pub)]

use durable::prelude::*;

use durable::OrchestrationHandle;

#[orchestrator]
async fn order(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    Ok(n)
}

struct Started {
    run: OrchestrationHandle<order>,
}

async fn client() -> Result<u32> {
    let hub = TaskHub::builder().in_memory().register::<order>().open().await?;
    let started = Started { run: hub.start(order(7)).await? };
    let result = started.run.result().await?;
    hub.shutdown().await?;
    Ok(result)
}

#[tokio::main]
async fn main() -> Result<()> {
    assert_eq!(client().await?, 7);
    Ok(())
}
