use durable::prelude::*;

struct Approval {
    by: String,
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<String> {
    let approval = ctx.wait_for_external_event::<Approval>("Approval").await?;
    Ok(approval.by)
}

fn main() {}
