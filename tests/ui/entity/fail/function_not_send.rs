use durable::prelude::*;

#[entity]
async fn counter(ctx: &EntityContext) -> i64 {
    let shared = std::rc::Rc::new(1);
    std::future::ready(()).await;
    *shared
}

fn main() {}
