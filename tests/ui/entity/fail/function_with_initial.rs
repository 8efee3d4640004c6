use durable::prelude::*;

#[entity(initial = i64::default)]
fn counter(ctx: &EntityContext) -> i64 {
    1
}

fn main() {}
