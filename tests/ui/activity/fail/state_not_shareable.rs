use std::cell::Cell;

use durable::prelude::*;

#[activity]
fn count(counter: State<Cell<u32>>) -> u32 {
    counter.get()
}

fn main() {}
