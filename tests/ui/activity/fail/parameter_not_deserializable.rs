use durable::prelude::*;

#[derive(serde::Serialize)]
struct Order {
    cents: u32,
}

#[activity]
async fn charge(order: Order) -> u32 {
    order.cents
}

fn main() {}
