use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    value: i64,
}

#[entity]
impl Counter {
    async fn add(&mut self, n: i64) {
        let shared = std::rc::Rc::new(n);
        std::future::ready(()).await;
        self.value += *shared;
    }
}

fn main() {}
