use durable::prelude::*;

#[entity]
async fn counter(ctx: &ActivityContext) -> i64 {
    1
}

fn main() {}
