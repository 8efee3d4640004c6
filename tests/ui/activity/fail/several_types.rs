use durable::prelude::*;

struct Order(u32);

struct Receipt(u32);

struct Declined(u32);

#[activity]
async fn charge(order: Order) -> Result<Receipt, Declined> {
    if order.0 > 0 { Ok(Receipt(order.0)) } else { Err(Declined(order.0)) }
}

fn main() {}
