use durable::prelude::*;

#[entity]
async fn counter() -> i64 {
    1
}

fn main() {}
