use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    value: i64,
}

#[entity]
impl Counter {
    fn add<'a>(&mut self, names: &'a str) -> usize {
        names.len()
    }
}

fn main() {}
