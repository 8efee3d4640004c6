use durable::prelude::*;

#[activity(timeout = "30 seconds")]
async fn charge() {}

fn main() {}
