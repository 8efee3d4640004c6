use durable::prelude::*;

#[activity(name)]
async fn charge() {}

fn main() {}
