use durable::prelude::*;

#[activity]
async fn charge(ctx: ActivityContext, cents: u32) -> String {
    format!("{cents} under {}", ctx.idempotency_key())
}

fn main() {}
