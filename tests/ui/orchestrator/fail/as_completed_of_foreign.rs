use durable::prelude::*;

async fn of_ones_own(n: u32) -> u32 {
    n
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) {
    let mut all = durable::as_completed((0..3).map(of_ones_own));
    while let Some((_, n)) = all.next().await {
        drop(n);
    }
}

fn main() {}
