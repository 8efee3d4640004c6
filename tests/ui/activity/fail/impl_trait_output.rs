use durable::prelude::*;

#[activity]
async fn numbers() -> impl Iterator<Item = u32> {
    0..3
}

fn main() {}
