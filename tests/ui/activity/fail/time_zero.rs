use durable::prelude::*;

#[activity(attempt_timeout = "0s")]
async fn charge() {}

fn main() {}
