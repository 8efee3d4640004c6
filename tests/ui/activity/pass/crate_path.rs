//! The option `crate`, which names the path of `durable`.

#![deny(warnings, missing_docs, unreachable_pub)]

use durable::prelude::*;

mod sdk {
    pub(crate) mod engine {
        pub(crate) use durable::*;
    }
}

#[activity(crate = crate::sdk::engine)]
async fn charge(cents: u32, name: &str) -> Result<u32, String> {
    if name.is_empty() { Err("no name".to_owned()) } else { Ok(cents) }
}

#[activity(crate = ::durable)]
fn refund(prices: State<u32>) -> u32 {
    *prices
}

fn main() {
    drop((charge(5, "a"), refund()));
}
