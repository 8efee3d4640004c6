#![deny(unused_must_use)]

use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    value: i64,
}

#[entity]
impl Counter {
    fn get(&self) -> i64 {
        self.value
    }
}

#[orchestrator]
async fn good(ctx: &OrchestrationContext) -> Result<i64> {
    Counter::at("a").get();
    Ok(1)
}

fn main() {}
