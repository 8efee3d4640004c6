//! A loop that continues as new is not an endless loop.

#![deny(warnings)]
#![allow(while_true)]

use durable::prelude::*;

#[activity]
async fn poll() -> bool {
    true
}

/// Something of the user's that begins again.
struct Watch<'a>(&'a OrchestrationContext);

impl Watch<'_> {
    fn continue_as_new(&self, turns: u32) {
        assert!(!self.0.is_replaying() || turns > 0);
    }
}

#[orchestrator]
async fn in_a_loop(ctx: &OrchestrationContext, turns: u32) -> Result<()> {
    let mut turn = turns;
    loop {
        poll().await?;
        turn += 1;
        if turn % 100 == 0 {
            Watch(ctx).continue_as_new(turn);
        }
    }
}

#[orchestrator]
async fn in_a_while(ctx: &OrchestrationContext) {
    while true {
        let part = async {
            let _ = poll().await;
            Watch::continue_as_new(&Watch(ctx), 1);
        };
        part.await;
    }
}

#[orchestrator]
async fn for_real(ctx: &OrchestrationContext, turns: u32) -> Result<()> {
    let mut turn = turns;
    loop {
        poll().await?;
        turn += 1;
        if turn % 100 == 0 {
            ctx.continue_as_new(for_real(turn)).await?;
        }
    }
}

fn main() {
    drop((in_a_loop(1), in_a_while(), for_real(1)));
}
