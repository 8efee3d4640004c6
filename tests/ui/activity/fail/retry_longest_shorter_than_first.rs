use durable::prelude::*;

#[activity(retry(max_number_of_attempts = 5, first_retry_interval = "1s", max_retry_interval = "500ms"))]
async fn charge() {}

fn main() {}
