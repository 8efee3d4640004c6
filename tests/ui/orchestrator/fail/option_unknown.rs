use durable::prelude::*;

#[orchestrator(retry(times = 3), crate = durable, Name = "order")]
async fn order(ctx: &OrchestrationContext) {}

fn main() {}
