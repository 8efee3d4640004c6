use durable::prelude::*;

#[activity("charge_card")]
async fn charge() {}

fn main() {}
