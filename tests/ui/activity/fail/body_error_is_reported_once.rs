use durable::prelude::*;

#[activity]
async fn greet(name: &str) -> Result<String> {
    let length: String = name.len();
    missing(length)
}

fn main() {}
