use durable::prelude::*;

use std::borrow::Cow;

#[activity]
async fn trim(text: Cow<str>) -> String {
    text.trim().to_owned()
}

fn main() {}
