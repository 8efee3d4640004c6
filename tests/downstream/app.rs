//! A crate with nothing but `durable` and `tokio` in its manifest compiles and runs the README's
//! sample as printed.

use std::fs;

use crate::user_crate::{UserCrate, root};

/// The first block of Rust in a page.
fn first_rust_block(page: &str) -> &str {
    let (_, rest) = page.split_once("```rust\n").expect("the page has a block of Rust");
    rest.split_once("```").expect("the block ends").0
}

/// What a crate prints that consists of this source, with the library under the name `durable`.
fn printed_by(name: &str, durable: &str, source: &str) -> String {
    let dependencies = "tokio = { version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }\n\n\
        [lints.rust]\nwarnings = \"deny\"\n";
    let app = UserCrate::renaming(durable, name, dependencies);
    app.write("src/main.rs", source);
    let built = app.cargo(&["build", "--quiet"]);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let run = app.program(name).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8_lossy(&run.stdout).trim().to_owned()
}

#[test]
fn the_sample_of_the_readme_is_a_program() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let printed = printed_by("readme", "durable", first_rust_block(&readme));
    assert_eq!(printed, r#"["Hello Tokyo!", "Hello Seattle!"]"#);
}

#[test]
fn every_attribute_works_in_a_crate_that_renames_the_dependency() {
    let source = r#"
use rt::prelude::*;

#[activity(crate = rt)]
async fn double(n: u32) -> Result<u32> {
    Ok(2 * n)
}

#[rt::helper(crate = rt)]
async fn part(n: u32) -> Result<u32> {
    Ok(double(n).await?)
}

#[rt::deterministic(crate = rt)]
fn next(n: u32) -> u32 {
    n + 1
}

#[orchestrator(crate = rt)]
async fn sum(ctx: &OrchestrationContext) -> Result<u32> {
    let all = async { part(next(1)).await };
    all.await
}

#[tokio::main]
async fn main() -> Result<()> {
    let hub = TaskHub::builder().in_memory().open().await?;
    println!("{}", hub.start(sum()).await?.result().await?);
    Ok(hub.shutdown().await?)
}
"#;
    assert_eq!(printed_by("renaming", "rt", source), "4");
}
