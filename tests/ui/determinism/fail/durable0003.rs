use durable::prelude::*;

use std::thread::{self, sleep as wait};
use std::time::Duration;
use tokio::time::{Duration as Span, sleep};

#[orchestrator]
async fn order(ctx: &OrchestrationContext) {
    std::thread::sleep(Duration::from_secs(1));
    thread::sleep(Duration::from_secs(1));
    wait(Duration::from_secs(1));
    tokio::time::sleep(Duration::from_secs(1)).await;
    sleep(Span::from_secs(1)).await;
    let _ = tokio::time::timeout(Duration::from_secs(1), async {}).await;
}

fn main() {}
