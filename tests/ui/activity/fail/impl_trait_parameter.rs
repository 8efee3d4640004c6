use durable::prelude::*;

#[activity]
async fn greet(name: impl Into<String>) -> String {
    format!("Hello {}!", name.into())
}

fn main() {}
