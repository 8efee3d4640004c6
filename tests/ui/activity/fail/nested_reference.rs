use durable::prelude::*;

#[activity]
async fn greet(name: Option<&str>) -> String {
    format!("Hello {}!", name.unwrap_or("you"))
}

fn main() {}
