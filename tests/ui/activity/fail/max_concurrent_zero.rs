use durable::prelude::*;

#[activity(max_concurrent = 0)]
async fn charge() {}

fn main() {}
