use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    value: i64,
}

#[entity]
impl Counter {
    fn add(&mut self, ctx: &mut EntityContext, n: i64) {
        self.value += n;
    }
}

fn main() {}
