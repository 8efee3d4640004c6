//! Rejections with a specific reason.
#![allow(unused)]

use std::io::Write;

use durable::prelude::*;

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<()> {
    let process = std::process::id();
    let thread = std::thread::current().id();
    std::thread::yield_now();
    writeln!(std::io::stdout(), "begins")?;
    if process == 1 {
        std::process::exit(1);
    }
    Ok(())
}

fn main() {}
