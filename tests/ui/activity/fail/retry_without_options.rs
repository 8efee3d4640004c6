use durable::prelude::*;

#[activity(retry)]
async fn charge() {}

fn main() {}
