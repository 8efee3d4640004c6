use durable::prelude::*;

#[activity(retry(first_retry_interval = "1s"))]
async fn charge() {}

fn main() {}
