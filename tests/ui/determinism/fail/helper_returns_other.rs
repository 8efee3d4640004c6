//! A wrong return value of a helper is an error at the value.
#![allow(unused)]

use durable::prelude::*;

#[activity]
async fn count() -> Result<u32> {
    Ok(1)
}

#[durable::helper]
async fn at_the_end() -> Result<u64> {
    let count = count().await?;
    Ok(count)
}

#[durable::helper]
async fn before() -> u64 {
    if count().await.is_err() {
        return "none";
    }
    1
}

fn main() {}
