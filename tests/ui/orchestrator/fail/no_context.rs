use durable::prelude::*;

#[orchestrator]
async fn order() -> Result<String> {
    Ok(ctx.instance_id().to_string())
}

fn main() {}
