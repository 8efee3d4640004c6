use durable::prelude::*;

#[activity]
async fn first(names: &[String]) -> &str {
    &names[0]
}

fn main() {}
