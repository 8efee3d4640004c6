use durable::prelude::*;

#[activity]
async fn charge(order: Order) -> Receipt {
    todo!()
}

fn main() {}
