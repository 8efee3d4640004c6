use durable::prelude::*;

#[activity(retry(max_number_of_attempts = 5))]
async fn charge() {}

fn main() {}
