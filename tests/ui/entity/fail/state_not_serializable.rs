use durable::prelude::*;

#[derive(Default)]
struct Counter {
    value: i64,
}

#[entity]
impl Counter {
    fn get(&self) -> i64 {
        self.value
    }

    async fn add(&mut self, n: i64) {
        self.value += n;
    }
}

fn main() {}
