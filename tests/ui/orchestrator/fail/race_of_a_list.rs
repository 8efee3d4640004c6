use durable::prelude::*;

#[activity]
async fn ping(mirror: u32) -> u32 {
    mirror
}

#[orchestrator]
async fn quickest(ctx: &OrchestrationContext) {
    let pings: Vec<_> = (0..3).map(|mirror| ping(mirror).spawn()).collect();
    let _ = durable::race(pings).await;
}

fn main() {}
