use durable::prelude::*;

#[activity(timeout)]
async fn charge() {}

fn main() {}
