use durable::prelude::*;

use std::borrow::Cow;

#[activity]
async fn trim(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text.trim())
}

fn main() {}
