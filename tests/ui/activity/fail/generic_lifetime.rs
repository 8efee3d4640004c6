use durable::prelude::*;

#[activity]
async fn shout<'a>(text: &'a str) -> String {
    text.to_uppercase()
}

fn main() {}
