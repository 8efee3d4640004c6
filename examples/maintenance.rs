//! Maintenance of a hub's folder while no program has it open: check it, salvage its content,
//! reclaim disk space.
//!
//! ```sh
//! cargo run -p examples --bin maintenance -- check HUB
//! cargo run -p examples --bin maintenance -- export HUB > hub.jsonl
//! cargo run -p examples --bin maintenance -- compact HUB
//! ```

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use durable::prelude::*;
use durable::store::SledStore;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Reports damage, and what is still readable.
    Check { hub: PathBuf },
    /// Writes everything readable as JSON lines, even from a damaged folder.
    Export { hub: PathBuf },
    /// Shrinks the folder to the size of its content.
    Compact { hub: PathBuf },
}

fn main() -> Result<()> {
    match Arguments::parse().what {
        What::Check { hub } => check(&SledStore::read_only(hub)?),
        What::Export { hub } => {
            let mut out = io::BufWriter::new(io::stdout().lock());
            SledStore::read_only(hub)?.export(&mut out)?;
            out.flush()?;
        }
        What::Compact { hub } => {
            let (before, after) = SledStore::compact(hub)?;
            println!("{before} bytes before, {after} after");
        }
    }
    Ok(())
}

fn check(store: &SledStore) {
    match store.damage() {
        [] => println!("nothing is damaged"),
        damage => {
            for damage in damage {
                println!("{damage}");
            }
            println!("`export` saves what can be read");
        }
    }
}
