use durable::prelude::*;

#[activity(name = charge_card)]
async fn charge() {}

fn main() {}
