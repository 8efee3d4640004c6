use durable::prelude::*;

struct Order {
    cents: u32,
}

#[activity]
async fn charge(order: Order) -> Result<u32> {
    Ok(order.cents)
}

fn main() {}
