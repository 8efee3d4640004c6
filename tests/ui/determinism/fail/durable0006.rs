#![allow(unused)]

use durable::prelude::*;

use std::env;
use std::env::var as read;

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> usize {
    let full = std::env::var("HOME");
    let used = env::args().count();
    let renamed = read("HOME");
    let cores = std::thread::available_parallelism();
    let at_compile_time = env!("CARGO_PKG_NAME");
    used
}

fn main() {}
