use durable::prelude::*;

struct Order {
    cents: u32,
}

#[activity]
async fn charge(order: &Order, more: &[Order]) -> Result<u32> {
    Ok(order.cents + more[0].cents)
}

fn main() {}
