use durable::prelude::*;

struct Receipt {
    cents: u32,
}

#[activity]
async fn charge(cents: u32) -> Result<Receipt> {
    Ok(Receipt { cents })
}

fn main() {}
