use durable::prelude::*;

struct Counter(i64);

impl Counter {
    #[entity]
    fn add(&mut self, n: i64) {
        self.0 += n;
    }
}

fn main() {}
