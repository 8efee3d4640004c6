use durable::prelude::*;

#[activity]
const fn answer() -> u32 {
    42
}

fn main() {}
