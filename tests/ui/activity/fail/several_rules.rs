use durable::prelude::*;

#[activity(retries = 3)]
unsafe fn charge<T>(ctx: ActivityContext, name: &mut String, _: Option<&T>) -> &str {
    name.push_str(&ctx.idempotency_key());
    name
}

fn main() {}
