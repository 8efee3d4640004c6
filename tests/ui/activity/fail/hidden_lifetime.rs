use std::borrow::Cow;

use durable::prelude::*;

#[activity]
async fn trim(text: Cow<str>) -> String {
    text.trim().to_owned()
}

fn main() {}
