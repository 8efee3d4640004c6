use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    value: i64,
}

#[entity]
impl Counter {
    fn add(&mut self, ctx: &EntityContext, other: &EntityContext) {
        self.value += 1;
    }
}

fn main() {}
