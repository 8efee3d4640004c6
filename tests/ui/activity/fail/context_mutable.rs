use durable::prelude::*;

#[activity]
async fn charge(ctx: &mut ActivityContext, cents: u32) -> String {
    format!("{cents} under {}", ctx.idempotency_key())
}

fn main() {}
