use durable::prelude::*;

#[activity]
#[derive(Debug)]
struct Charge {
    cents: u32,
}

fn dollars(charge: &Charge) -> u32 {
    charge.cents / 100
}

fn main() {}
