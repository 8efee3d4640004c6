//! A rejected future is not rejected again at its await.
use durable::prelude::*;

use std::time::Duration;

#[orchestrator]
async fn order(ctx: &OrchestrationContext) {
    let rest = tokio::time::sleep(Duration::from_secs(1));
    let later = rest;
    later.await;
    let lock = tokio::sync::Mutex::new(1);
    *lock.lock().await += 1;
    let begun = std::time::Instant::now();
    drop(begun.elapsed());
}

fn main() {}
