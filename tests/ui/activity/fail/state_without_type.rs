use durable::prelude::*;

#[activity]
async fn count(counter: State) -> u32 {
    0
}

fn main() {}
