use durable::prelude::*;

#[activity(retries = 3, name = "charge_card")]
async fn charge() {}

fn main() {}
