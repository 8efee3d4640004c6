use durable::prelude::*;

#[activity]
async fn charge(ctx: &'static ActivityContext) -> String {
    ctx.idempotency_key()
}

fn main() {}
