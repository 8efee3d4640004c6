use durable::prelude::*;

#[activity(retry(max_number_of_attempts = "5", first_retry_interval = "1s"))]
async fn charge() {}

fn main() {}
