use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    value: i64,
}

macro_rules! get {
    () => {
        fn get(&self) -> i64 {
            self.value
        }
    };
}

#[entity]
impl Counter {
    get!();
}

fn main() {}
