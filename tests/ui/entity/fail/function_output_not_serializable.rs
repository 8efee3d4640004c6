use durable::prelude::*;

struct Order;

#[entity]
fn counter(ctx: &EntityContext) -> Result<Order> {
    Ok(Order)
}

fn main() {}
