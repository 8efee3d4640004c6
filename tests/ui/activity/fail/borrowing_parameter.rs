use durable::prelude::*;

use std::borrow::Cow;

#[activity]
async fn greet(name: Cow<'_, str>) -> String {
    format!("Hello {name}!")
}

fn main() {}
