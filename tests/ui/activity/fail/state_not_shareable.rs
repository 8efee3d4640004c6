use durable::prelude::*;

use std::cell::Cell;

#[activity]
fn count(counter: State<Cell<u32>>) -> u32 {
    counter.get()
}

fn main() {}
