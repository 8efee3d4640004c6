use std::collections::HashMap;
use std::time::Instant;

#[durable::deterministic]
fn deadline() -> Instant {
    Instant::now()
}

#[durable::deterministic]
fn prices(prices: &HashMap<String, u32>) -> u32 {
    println!("summed");
    prices.values().sum()
}

struct Shop;

impl Shop {
    #[durable::deterministic]
    fn is_test(&self) -> bool {
        std::env::var("TEST").is_ok()
    }
}

#[durable::deterministic]
async fn waits() {}

#[durable::deterministic(name = "x")]
fn with_options() {}

#[durable::deterministic]
struct NotAFunction;

fn main() {}
