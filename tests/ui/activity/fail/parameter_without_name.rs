use durable::prelude::*;

#[activity]
async fn ignore(_: u32) {}

fn main() {}
