use durable::prelude::*;

struct Counter {
    value: i64,
}

#[entity]
impl Counter {
    fn get(&self) -> i64 {
        self.value
    }
}

fn main() {}
