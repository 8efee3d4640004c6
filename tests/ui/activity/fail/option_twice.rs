use durable::prelude::*;

#[activity(name = "charge", name = "charge_card")]
async fn charge() {}

fn main() {}
