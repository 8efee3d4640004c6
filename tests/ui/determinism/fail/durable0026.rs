use durable::prelude::*;

#[activity]
async fn double(n: u32) -> u32 {
    2 * n
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<u32> {
    let by_reference = async |n| double(n).await;
    let by_value = async move |n| double(n).await;
    Ok(by_reference(1).await? + by_value(2).await?)
}

fn main() {}
