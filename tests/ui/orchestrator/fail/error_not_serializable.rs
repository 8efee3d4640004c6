use durable::prelude::*;

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<u32, std::fmt::Error> {
    Err(std::fmt::Error)
}

fn main() {}
