use durable::prelude::*;

#[activity(retry = 3)]
async fn charge() {}

fn main() {}
