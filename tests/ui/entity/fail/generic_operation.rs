use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    value: i64,
}

#[entity]
impl Counter {
    fn add<N: Into<i64>>(&mut self, n: N) {
        self.value += n.into();
    }
}

fn main() {}
