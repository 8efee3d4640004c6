use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    value: i64,
}

#[entity]
impl Counter {
    fn all(&self) -> impl Iterator<Item = i64> {
        0..self.value
    }
}

fn main() {}
