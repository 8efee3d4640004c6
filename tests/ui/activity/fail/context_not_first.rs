use durable::prelude::*;

#[activity]
async fn charge(cents: u32, ctx: &ActivityContext) -> String {
    format!("{cents} under {}", ctx.idempotency_key())
}

fn main() {}
