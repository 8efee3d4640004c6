use std::borrow::Cow;

use durable::prelude::*;

#[activity]
async fn longest(left: &str, right: &str) -> Result<Cow<str>> {
    Ok(Cow::Borrowed(if left.len() > right.len() { left } else { right }))
}

fn main() {}
