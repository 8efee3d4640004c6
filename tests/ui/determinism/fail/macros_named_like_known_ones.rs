//! Macros of the same file that are named like known ones are looked into.
#![allow(unused)]

use durable::prelude::*;

#[activity]
async fn double(n: u32) -> u32 {
    2 * n
}

macro_rules! log {
    ($($text:tt)*) => {
        println!($($text)*)
    };
}

macro_rules! ensure {
    ($task:expr) => {
        $task.await
    };
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<u32> {
    log!("begins");
    Ok(ensure!(double(1))?)
}

fn main() {}
