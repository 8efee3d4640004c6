use std::fmt::Display;

use durable::prelude::*;

#[activity]
async fn show(value: &dyn Display) -> String {
    value.to_string()
}

fn main() {}
