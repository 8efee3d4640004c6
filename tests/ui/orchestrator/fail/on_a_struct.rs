use durable::prelude::*;

#[orchestrator]
struct Order;

fn main() {}
