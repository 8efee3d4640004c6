use std::cell::Cell;

use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    value: Cell<i64>,
}

#[entity]
impl Counter {
    async fn get(&self) -> i64 {
        self.value.get()
    }
}

fn main() {}
