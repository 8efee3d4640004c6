//! A crate with nothing but `durable` and `tokio` in its manifest compiles and runs the README's
//! sample as printed.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The first block of Rust in a page.
fn first_rust_block(page: &str) -> &str {
    let (_, rest) = page.split_once("```rust\n").expect("the page has a block of Rust");
    rest.split_once("```").expect("the block ends").0
}

/// What a crate prints that has this source, and `durable` under this name.
fn printed_by(name: &str, source: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it lies in the workspace");
    let folder = tempfile::tempdir().unwrap();
    let durable = root.join("durable");
    let manifest = format!(
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [dependencies]\n{name} = {{ package = \"durable\", path = \"{}\" }}\n\
         tokio = {{ version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }}\n\n\
         [workspace]\n",
        durable.display()
    );
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.path().join("src/main.rs"), source).unwrap();
    fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();

    let run = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline"])
        .current_dir(folder.path())
        .env("CARGO_TARGET_DIR", root.join("target/downstream"))
        .env("RUSTFLAGS", "-Dwarnings")
        .output()
        .unwrap();
    let complained = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{complained}");
    String::from_utf8_lossy(&run.stdout).trim().to_owned()
}

#[test]
fn the_sample_of_the_readme_is_a_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it lies in the workspace");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let printed = printed_by("durable", first_rust_block(&readme));
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
    hub.shutdown().await
}
"#;
    assert_eq!(printed_by("rt", source), "4");
}
