use durable::prelude::*;

#[activity(timeout = "30")]
async fn charge() {}

fn main() {}
