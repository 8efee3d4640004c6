use std::borrow::Cow;

use durable::prelude::*;

#[activity]
async fn trim(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text.trim())
}

fn main() {}
