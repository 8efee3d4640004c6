use durable::prelude::*;

#[activity]
async fn count(counter: &mut State<u32>) -> u32 {
    **counter
}

fn main() {}
