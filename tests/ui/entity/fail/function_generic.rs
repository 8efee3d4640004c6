use durable::prelude::*;

#[entity]
async fn counter<T>(ctx: &EntityContext) -> i64 {
    1
}

fn main() {}
