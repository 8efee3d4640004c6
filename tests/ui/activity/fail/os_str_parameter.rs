use std::ffi::OsStr;

use durable::prelude::*;

#[activity]
async fn size(file: &OsStr) -> Result<u64> {
    Ok(std::fs::metadata(file)?.len())
}

fn main() {}
