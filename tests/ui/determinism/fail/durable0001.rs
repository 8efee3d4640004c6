#![allow(unused)]

use durable::prelude::*;

use std::time;
use std::time::{Instant, SystemTime as Clock};

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> bool {
    let full = std::time::Instant::now();
    let used = Instant::now();
    let renamed = Clock::now();
    let in_module = time::SystemTime::now();
    let since = std::time::SystemTime::elapsed;
    let as_value = Some(()).map(|()| Instant::now());
    full < used && renamed < in_module
}

fn main() {}
