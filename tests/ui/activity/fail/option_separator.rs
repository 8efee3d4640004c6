use durable::prelude::*;

#[activity(name = "charge_card" version = "2")]
async fn charge() {}

fn main() {}
