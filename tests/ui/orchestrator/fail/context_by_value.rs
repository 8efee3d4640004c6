use durable::prelude::*;

#[orchestrator]
async fn order(ctx: OrchestrationContext) -> String {
    ctx.instance_id().to_string()
}

fn main() {}
