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

#[test]
fn the_sample_of_the_readme_is_a_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it lies in the workspace");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let durable = root.join("durable");
    let manifest = format!(
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [dependencies]\ndurable = {{ path = {durable:?} }}\n\
         tokio = {{ version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }}\n\n\
         [workspace]\n"
    );
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.path().join("src/main.rs"), first_rust_block(&readme)).unwrap();
    fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();

    let run = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline"])
        .current_dir(folder.path())
        .env("CARGO_TARGET_DIR", root.join("target/downstream"))
        .env("RUSTFLAGS", "-Dwarnings")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&run.stdout);
    let complained = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{complained}");
    assert_eq!(printed.trim(), r#"["Hello Tokyo!", "Hello Seattle!"]"#, "{complained}");
}
