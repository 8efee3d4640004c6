use durable::prelude::*;

#[activity]
async fn shout(text: &'static str) -> String {
    text.to_uppercase()
}

fn main() {}
