use durable::prelude::*;

#[activity]
async fn shout(text: &'a str) -> String {
    text.to_uppercase()
}

fn main() {}
