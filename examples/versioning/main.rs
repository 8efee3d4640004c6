//! Versioning: new code while instances of the old code are running.
//!
//! ```text
//! cargo run -p examples --bin versioning
//! ```
//! A deployment is simulated: the hub is opened on the same folder with the functions of one
//! release (`only_registered()` and `register::<..>()`), shut down, and opened with those of the
//! next. A real program registers nothing by hand: a release is a build.
//!
//! Read in this order, which is the order of preference:
//! * `side_by_side.rs`: two versions at once; and what happens to old instances without their code.
//! * `eternal.rs`: an orchestration that never ends moves to the new version.
//! * `patched.rs`: one function, changed in place.

mod eternal;
mod patched;
mod side_by_side;

use std::path::Path;

use durable::prelude::*;

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    side_by_side::show(&path("side-by-side")).await?;
    eternal::show(&path("eternal")).await?;
    patched::show(&path("patched")).await
}

/// A hub that has only the functions registered with it.
fn release(name: &str, path: &Path) -> durable::client::TaskHubBuilder {
    println!("--- {name}");
    TaskHub::builder().path(path).only_registered()
}
