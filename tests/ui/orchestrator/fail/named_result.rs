use durable::prelude::*;

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> OrderResult {
    OrderResult
}

#[derive(serde::Serialize, serde::Deserialize)]
struct OrderResult;

fn main() {}
