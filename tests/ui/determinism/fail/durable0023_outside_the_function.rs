use std::sync::atomic::{AtomicU32, Ordering};

use durable::prelude::*;

static STARTED: AtomicU32 = AtomicU32::new(0);
static mut LIMIT: u32 = 7;

#[activity]
async fn double(n: u32) -> u32 {
    2 * n
}

#[orchestrator]
async fn counted(ctx: &OrchestrationContext) -> Result<u32> {
    let started = STARTED.fetch_add(1, Ordering::Relaxed);
    let limit = unsafe { LIMIT };
    Ok(double(started.min(limit)).await?)
}

fn main() {}
