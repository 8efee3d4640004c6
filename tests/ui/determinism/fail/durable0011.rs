#![allow(unused, while_true)]

use durable::prelude::*;

#[activity]
async fn poll() -> bool {
    true
}

#[orchestrator]
async fn forever(ctx: &OrchestrationContext) -> Result<()> {
    loop {
        poll().await?;
    }
}

#[orchestrator]
async fn while_true(ctx: &OrchestrationContext) {
    while true {
        let _ = poll().await;
    }
}

#[orchestrator]
async fn leaves_an_inner_loop_only(ctx: &OrchestrationContext) {
    loop {
        for _ in 0..3 {
            if poll().await.is_ok() {
                break;
            }
        }
        'inner: loop {
            break 'inner;
        }
    }
}

#[orchestrator]
async fn returns_from_a_block_only(ctx: &OrchestrationContext) {
    loop {
        let part = async { return poll().await };
        let _ = part.await;
        let parts = [1, 2].map(|n| return n);
    }
}

fn main() {}
