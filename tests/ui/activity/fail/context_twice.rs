use durable::prelude::*;

#[activity]
async fn charge(ctx: &ActivityContext, again: &ActivityContext) -> bool {
    ctx.attempt() == again.attempt()
}

fn main() {}
