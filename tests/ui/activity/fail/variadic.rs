use durable::prelude::*;

#[activity]
fn print(first: u32, rest: ...) {
    println!("{first}");
}

fn main() {}
