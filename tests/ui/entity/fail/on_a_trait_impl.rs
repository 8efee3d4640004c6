use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    value: i64,
}

trait Add {
    fn add(&mut self, n: i64) -> i64;
}

#[entity]
impl Add for Counter {
    fn add(&mut self, n: i64) -> i64 {
        self.value += n;
        self.value
    }
}

#[orchestrator]
async fn good(ctx: &OrchestrationContext) -> Result<i64> {
    Ok(Counter::at("a").add(5).await?)
}

fn main() {}
