use durable::prelude::*;
use serde::{Deserialize, Serialize};

type Answer = std::result::Result<i64, String>;

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    value: i64,
}

#[entity]
impl Counter {
    fn get(&self) -> Answer {
        Ok(self.value)
    }
}

fn main() {}
