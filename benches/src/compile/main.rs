//! What the attributes cost to compile: `cargo check` of a crate of annotated functions, beside the
//! same functions without attributes.
//!
//! ```text
//! cargo run --release -p benches --bin compile
//! cargo run --release -p benches --bin compile -- --against ../before/durable --runs 9
//! ```
//! Each run changes one function of each crate in turn and checks it again, as a developer does; the
//! table shows medians. `--against` adds the same crate on another checkout of `durable`.

#[path = "../clock.rs"]
mod clock;
mod sample;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::Parser;
use comfy_table::Table;
use durable::{Error, Result};

use self::sample::{Dependency, Sample};

/// Measures `cargo check` of annotated functions beside plain ones.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many activities the crate has.
    #[arg(long, default_value_t = 100)]
    activities: usize,
    /// How many orchestrators the crate has.
    #[arg(long, default_value_t = 30)]
    orchestrators: usize,
    /// How often each crate is checked after a change of each kind.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// The folder of the crate `durable` in another checkout, to compare with.
    #[arg(long)]
    against: Option<PathBuf>,
}

/// A crate that is checked, with what its checks took.
struct Measured {
    name: &'static str,
    sample: Sample,
    after_activity: Vec<Duration>,
    after_orchestrator: Vec<Duration>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../durable").canonicalize()?;
    let mut crates = vec![
        measured("plain", folder.path(), &Dependency::Futures, &arguments)?,
        measured("annotated", folder.path(), &Dependency::Durable(ours), &arguments)?,
    ];
    if let Some(other) = &arguments.against {
        let other = Dependency::Durable(other.canonicalize()?);
        crates.push(measured("annotated_before", folder.path(), &other, &arguments)?);
    }
    for run in 0..arguments.runs {
        for measured in &mut crates {
            measured.sample.change_activity(run)?;
            measured.after_activity.push(check(&measured.sample)?);
            measured.sample.change_orchestrator(run)?;
            measured.after_orchestrator.push(check(&measured.sample)?);
        }
    }
    println!("{}", table(&mut crates));
    Ok(())
}

/// Writes a crate, and builds what it depends on.
fn measured(
    name: &'static str,
    folder: &Path,
    dependency: &Dependency,
    arguments: &Arguments,
) -> Result<Measured> {
    let (activities, orchestrators) = (arguments.activities, arguments.orchestrators);
    let sample = Sample::write(folder, name, dependency, activities, orchestrators)?;
    check(&sample)?;
    Ok(Measured { name, sample, after_activity: Vec::new(), after_orchestrator: Vec::new() })
}

/// How long `cargo check` takes.
fn check(sample: &Sample) -> Result<Duration> {
    let begin = clock::now();
    let status = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--manifest-path"])
        .arg(sample.folder.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", sample.folder.with_file_name("target"))
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        let folder = sample.folder.display();
        return Err(Error::msg(format!("the sample crate in {folder} does not compile")));
    }
    Ok(begin.elapsed())
}

/// One line a crate, with how many times the time of the plain one it takes.
fn table(crates: &mut [Measured]) -> Table {
    let mut table = Table::new();
    table.set_header(["crate", "activity changed", "x plain", "orchestrator changed", "x plain"]);
    let mut plain = None;
    for measured in crates {
        let times = [&mut measured.after_activity, &mut measured.after_orchestrator];
        let medians = times.map(|times| median(times));
        let plain = plain.get_or_insert(medians);
        let mut cells = vec![measured.name.to_owned()];
        for (time, plain) in medians.iter().zip(plain) {
            cells.push(format!("{:.2} s", time.as_secs_f64()));
            cells.push(format!("{:.1}", time.as_secs_f64() / plain.as_secs_f64()));
        }
        table.add_row(cells);
    }
    table
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
