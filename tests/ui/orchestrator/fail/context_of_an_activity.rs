use durable::prelude::*;

#[orchestrator]
async fn order(ctx: &ActivityContext) -> String {
    ctx.instance_id().to_string()
}

fn main() {}
