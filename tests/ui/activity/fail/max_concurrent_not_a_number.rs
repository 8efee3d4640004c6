use durable::prelude::*;

#[activity(max_concurrent = LIMIT)]
async fn charge() {}

fn main() {}
