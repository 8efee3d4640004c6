use durable::prelude::*;
use serde::{Deserialize, Serialize};

struct Order {
    cents: i64,
}

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    value: i64,
}

#[entity]
impl Counter {
    fn add(&mut self, order: Order) {
        self.value += order.cents;
    }
}

fn main() {}
