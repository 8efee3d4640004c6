use durable::prelude::*;

#[orchestrator]
async fn order<'a>(ctx: &'a OrchestrationContext, item: &'a str) -> String {
    item.to_owned()
}

fn main() {}
