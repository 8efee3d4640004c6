use durable::prelude::*;

#[orchestrator]
fn order(items: u32) -> Result<String> {
    Ok(ctx.instance_id().to_string())
}

struct Shop;

impl Shop {
    #[orchestrator]
    async fn open(&self, ctx: &OrchestrationContext) -> bool {
        true
    }
}

async fn client(hub: TaskHub) -> Result<String> {
    let opened: bool = hub.start(Shop.open()).await?.result().await?;
    let run: durable::OrchestrationHandle<order> = hub.start(order(5).instance_id("5")).await?;
    let id: String = run.result().await?;
    Ok(format!("{id} {opened}"))
}

fn main() {}
