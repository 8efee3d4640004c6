use durable::prelude::*;

#[entity]
async fn counter<T>(_ctx: &EntityContext) -> i64 {
    1
}

fn main() {}
