use durable::prelude::*;

use std::collections::HashMap;
use std::time::{Duration, Instant};

#[activity]
async fn double(n: u32) -> u32 {
    2 * n
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext, items: u32) -> Result<u32> {
    let started = Instant::now();
    let mut prices = HashMap::new();
    prices.insert("tea", double(items).await?);
    std::thread::sleep(Duration::from_secs(1));
    println!("{} after {:?}", prices["tea"], started.elapsed());
    Ok(std::env::args().count() as u32)
}

fn main() {}
