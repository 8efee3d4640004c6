use durable::prelude::*;

#[orchestrator]
async fn order(ctx: &OrchestrationContext) {
    ctx.create_timer(5).await;
}

fn main() {}
