use durable::prelude::*;

use std::fmt::Display;

#[activity]
async fn show(value: &dyn Display) -> String {
    value.to_string()
}

fn main() {}
