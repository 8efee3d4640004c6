use durable::prelude::*;

#[entity]
async fn counter(_ctx: &ActivityContext) -> i64 {
    1
}

fn main() {}
