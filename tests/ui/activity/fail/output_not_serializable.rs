use durable::prelude::*;

struct Receipt {
    cents: u32,
}

#[activity]
async fn charge(cents: u32) -> Receipt {
    Receipt { cents }
}

fn main() {}
