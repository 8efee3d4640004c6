use std::borrow::Cow;

use durable::prelude::*;

#[activity]
async fn greet(name: Cow<'_, str>) -> String {
    format!("Hello {name}!")
}

fn main() {}
