use durable::prelude::*;

use std::ffi::OsStr;

#[activity]
async fn size(file: &OsStr) -> Result<u64> {
    Ok(std::fs::metadata(file)?.len())
}

fn main() {}
