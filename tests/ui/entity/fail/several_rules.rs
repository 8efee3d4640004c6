use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    value: i64,
}

#[entity(name = "a/b", retries = 5)]
impl Counter {
    fn take(self, _: i64) -> &'static str {
        "counter"
    }

    const fn get<T>(&self, ctx: &mut ActivityContext) -> i64 {
        self.value
    }

    fn at(&self) {}
}

fn main() {}
