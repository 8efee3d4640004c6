use durable::prelude::*;

struct Order;

#[entity]
fn counter(_ctx: &EntityContext) -> Result<Order> {
    Ok(Order)
}

fn main() {}
