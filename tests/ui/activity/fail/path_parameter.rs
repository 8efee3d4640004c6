use durable::prelude::*;

use std::path::Path;

#[activity]
async fn size(file: &Path) -> Result<u64> {
    Ok(std::fs::metadata(file)?.len())
}

fn main() {}
