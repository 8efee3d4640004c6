use durable::prelude::*;

struct Shop;

#[activity]
impl Shop {
    fn open(&self) {}
}

fn main() {}
