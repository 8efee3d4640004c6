use durable::prelude::*;

struct Order {
    cents: u32,
}

#[activity]
async fn charge(orders: Vec<Order>) -> u32 {
    orders.iter().map(|order| order.cents).sum()
}

fn main() {}
