#![allow(unused)]

use durable::prelude::*;

use std::thread;
use tokio::spawn as begin;
use tokio::task::{self, JoinSet};

#[orchestrator]
async fn order(ctx: &OrchestrationContext) {
    std::thread::spawn(|| 1);
    thread::scope(|_| ());
    tokio::spawn(async {});
    begin(async {});
    task::spawn_blocking(|| 1);
    let set = JoinSet::<()>::new();
    task::yield_now().await;
}

fn main() {}
