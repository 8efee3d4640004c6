use durable::prelude::*;

#[activity(timeout = Duration::from_secs(30))]
async fn charge() {}

fn main() {}
