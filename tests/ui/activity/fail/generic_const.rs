use durable::prelude::*;

#[activity]
async fn roll<const SIDES: u32>() -> u32 {
    SIDES
}

fn main() {}
