use durable::prelude::*;

#[orchestrator]
async fn order(ctx: &mut OrchestrationContext) -> String {
    ctx.instance_id().to_string()
}

fn main() {}
