use durable::prelude::*;

#[activity(timeout = "999999999999999999d")]
async fn charge() {}

fn main() {}
