//! Methods with side effects.
#![allow(unused)]

use durable::prelude::*;

use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

#[orchestrator]
async fn order(ctx: &OrchestrationContext, begun: SystemTime, folder: PathBuf) -> Result<u64> {
    let age = begun.elapsed()?;
    let path = folder.join("prices");
    if path.exists() || Path::new("a").join("b").is_dir() {
        return Ok(1);
    }
    let addresses = "example.org:80".to_socket_addrs()?;
    Ok(age.as_secs())
}

fn main() {}
