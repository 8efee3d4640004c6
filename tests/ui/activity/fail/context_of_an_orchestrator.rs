use durable::prelude::*;

#[activity]
async fn charge(ctx: &OrchestrationContext) -> String {
    ctx.instance_id().to_string()
}

fn main() {}
