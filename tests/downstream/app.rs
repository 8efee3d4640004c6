//! A crate with nothing but `durable` and `tokio` in its manifest compiles and runs the README's
//! sample as printed.

use std::fs;

use crate::user_crate::{TOKIO, UserCrate, root};

/// The first block of Rust in a page.
fn first_rust_block(page: &str) -> &str {
    let (_, rest) = page.split_once("```rust\n").expect("the page has a block of Rust");
    rest.split_once("```").expect("the block ends").0
}

const SERDE: &str = "serde = { version = \"1\", features = [\"derive\"] }\n";

/// A crate with this source, which names the library `durable`.
fn app(name: &str, durable: &str, dependencies: &[&str], source: &str) -> UserCrate {
    let dependencies = dependencies.concat() + "\n[lints.rust]\nwarnings = \"deny\"\n";
    let app = UserCrate::renaming(durable, name, &dependencies);
    app.write("src/main.rs", source);
    app
}

/// The output of such a crate.
fn printed_by(name: &str, durable: &str, dependencies: &[&str], source: &str) -> String {
    let app = app(name, durable, dependencies, source);
    let built = app.cargo(&["build", "--quiet"]);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let run = app.program(name).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8_lossy(&run.stdout).trim().to_owned()
}

#[test]
fn the_sample_of_the_readme_is_a_program() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let printed = printed_by("readme", "durable", &[TOKIO], first_rust_block(&readme));
    assert_eq!(printed, r#"["Hello Tokyo!", "Hello Seattle!"]"#);
}

#[test]
fn every_attribute_works_in_a_crate_that_renames_the_dependency() {
    let source = r#"
use std::collections::HashMap;

use rt::prelude::*;

#[rt::event(crate = rt)]
#[derive(serde::Serialize, serde::Deserialize)]
struct Approved(bool);

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Counter(u32);

#[entity(crate = rt)]
impl Counter {
    async fn add(&mut self, n: u32) -> Result<u32> {
        self.0 += n;
        Ok(self.0)
    }
}

#[entity(crate = rt)]
async fn echo(ctx: &EntityContext) -> Result<u32> {
    ctx.input()
}

#[activity(crate = rt, retry(max_number_of_attempts = 2, first_retry_interval = "1s"))]
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
#[rt::allow(DURABLE0022, reason = "it is never looped over", crate = rt)]
async fn sum(ctx: &OrchestrationContext) -> Result<u32> {
    let all = async { part(next(1)).await };
    let known: HashMap<u32, bool> = HashMap::new();
    let added = Counter::at("all").add(all.await?).await?;
    let echoed: u32 = echo::at("all").operation("echo", &added).await?;
    Ok(echoed + u32::try_from(known.len())?)
}

#[tokio::main]
async fn main() -> Result<()> {
    assert_eq!(<Approved as rt::ExternalEvent>::NAME, "Approved");
    assert!(Approved(true).0);
    let hub = TaskHub::builder().in_memory().open().await?;
    println!("{}", hub.start(sum()).await?.result().await?);
    Ok(hub.shutdown().await?)
}
"#;
    assert_eq!(printed_by("renaming", "rt", &[TOKIO, SERDE], source), "4");
}

#[test]
fn a_report_of_a_foreign_future_names_the_line_that_awaits_it() {
    let source = r#"
use durable::prelude::*;

async fn reply() {
    let (_sender, receiver) = tokio::sync::oneshot::channel::<()>();
    receiver.await.unwrap();
}

#[orchestrator]
async fn nap(ctx: &OrchestrationContext) -> Result<()> {
    let reply = reply();
    // Hidden from the check of the attribute, which would reject it.
    durable::__private_0_1::durable_block(reply).await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let hub = TaskHub::builder().in_memory().open().await?;
    println!("{}", hub.start(nap()).await?.result().await.unwrap_err());
    Ok(hub.shutdown().await?)
}
"#;
    // As in the profile `dev` of a new project, but without compiling the dependencies again.
    let with_lines = "[profile.dev.package.foreign_await]\ndebug = \"line-tables-only\"\n";
    let printed = printed_by("foreign_await", "durable", &[TOKIO, with_lines], source);
    assert!(printed.contains("DURABLE0102: orchestration `nap`"), "{printed}");
    assert!(printed.contains("awaited at           src/main.rs:6"), "{printed}");
}

#[test]
fn an_attribute_that_does_not_find_the_crate_names_the_option() {
    let source = r#"
use rt::prelude::*;

#[activity]
async fn double(n: u32) -> Result<u32> {
    Ok(2 * n)
}

#[rt::helper]
async fn part(n: u32) -> Result<u32> {
    Ok(double(n).await?)
}

#[orchestrator(version = "2")]
async fn sum(ctx: &OrchestrationContext) -> Result<u32> {
    part(double(1).await?).await
}

fn main() {
    drop(sum());
}
"#;
    let checked =
        app("renaming_without_options", "rt", &[TOKIO], source).cargo(&["check", "--quiet"]);
    let printed = String::from_utf8_lossy(&checked.stderr);
    let errors: Vec<_> = printed.lines().filter(|line| line.starts_with("error")).collect();
    let told = |attribute: &str| {
        format!(
            "error: the dependency `durable` is named `rt` in Cargo.toml; write \
             `#[{attribute}(crate = rt)]`"
        )
    };
    let expected = [told("activity"), told("helper"), told("orchestrator")];
    assert_eq!(errors[..3], expected, "{printed}");
    assert!(errors[3..].iter().all(|line| line.contains("could not compile")), "{printed}");
}
