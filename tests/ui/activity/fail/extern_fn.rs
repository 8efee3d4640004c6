use durable::prelude::*;

#[activity]
extern "C" fn add(left: u32, right: u32) -> u32 {
    left + right
}

fn main() {}
