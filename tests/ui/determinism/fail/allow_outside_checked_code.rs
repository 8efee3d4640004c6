use durable::prelude::*;

#[durable::allow(DURABLE0001, reason = "an activity may do anything")]
#[activity]
async fn stamp() -> bool {
    true
}

#[durable::allow(DURABLE0001, reason = "a plain function may do anything")]
fn plain() {}

#[durable::allow(DURABLE0001, reason = "not a function")]
struct Shop;

fn main() {}
