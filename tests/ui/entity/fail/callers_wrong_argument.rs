use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    value: i64,
}

#[entity]
impl Counter {
    fn add(&mut self, n: i64) -> i64 {
        self.value += n;
        self.value
    }
}

#[orchestrator]
async fn good(ctx: &OrchestrationContext) -> Result<i64> {
    Counter::at("a").add("one").await?;
    Counter::at("a").add().await?;
    Ok(Counter::at(1).add(5).await?)
}

fn main() {}
