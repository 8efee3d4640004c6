use std::rc::Rc;

use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    value: Rc<i64>,
}

#[entity]
impl Counter {
    async fn get(&mut self) -> i64 {
        *self.value
    }
}

fn main() {}
