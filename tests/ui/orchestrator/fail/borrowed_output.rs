use durable::prelude::*;

#[orchestrator]
async fn order(ctx: &OrchestrationContext, items: &[String]) -> Result<Vec<&str>> {
    Ok(items.iter().map(String::as_str).collect())
}

fn main() {}
