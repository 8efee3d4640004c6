use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    value: i64,
}

#[entity]
impl Counter {
    fn take(mut self) -> i64 {
        self.value += 1;
        self.value
    }
}

fn main() {}
