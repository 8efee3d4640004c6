use durable::prelude::*;

#[activity(crate = "durable")]
async fn charge() {}

fn main() {}
