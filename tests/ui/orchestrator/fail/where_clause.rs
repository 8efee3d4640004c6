use durable::prelude::*;

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<()>
where
    String: Clone,
{
    Ok(())
}

fn main() {}
