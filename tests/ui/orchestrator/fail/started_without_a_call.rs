use durable::prelude::*;

#[orchestrator]
async fn order(ctx: &OrchestrationContext) {}

async fn client(hub: TaskHub) -> Result<()> {
    hub.start(order).await?;
    Ok(())
}

fn main() {}
