use durable::prelude::*;

#[orchestrator(name = "", retries = 3)]
fn order(cents: u32, prices: State<u32>, _: &'static str) -> Option<&u32> {
    (cents > *prices).then_some(&3)
}

fn main() {}
