use durable::prelude::*;

#[activity(timeout = "soon")]
async fn charge() {}

fn main() {}
