//! A plain `fn`, which may block.

#![deny(warnings, missing_docs, unreachable_pub)]

use durable::prelude::*;

#[activity]
fn length(file: String) -> Result<u64> {
    Ok(std::fs::metadata(file)?.len())
}

#[activity]
fn attempt(ctx: &ActivityContext) -> u32 {
    ctx.attempt()
}

fn main() -> Result<()> {
    drop((length("Cargo.toml".to_owned()), attempt()));
    assert!(length::run("no such file".to_owned()).is_err());
    Ok(())
}
