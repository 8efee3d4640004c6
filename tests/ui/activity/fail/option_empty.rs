use durable::prelude::*;

#[activity(name = "", version = " ")]
async fn charge() {}

fn main() {}
