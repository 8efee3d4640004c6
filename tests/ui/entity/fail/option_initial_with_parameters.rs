use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    value: i64,
}

fn started(value: i64) -> Counter {
    Counter { value }
}

#[entity(initial = started)]
impl Counter {
    fn get(&self) -> i64 {
        self.value
    }
}

fn main() {}
