//! A lint is reported once, on the function.

#![deny(unreachable_pub)]

mod shop {
    use durable::prelude::*;

    #[activity]
    pub async fn charge(cents: u32) -> Result<u32> {
        Ok(cents)
    }
}

fn main() {}
