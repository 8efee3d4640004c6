use durable::prelude::*;

#[activity]
async fn apply(function: fn(u32) -> u32) -> u32 {
    function(1)
}

fn main() {}
