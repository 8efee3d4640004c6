//! The process that watches the one that runs the seeds: a seed that ends its process is named.
//!
//! A panic inside of a panic and a stack that overflows end a process at once. So the seeds run in
//! a child, whose threads note in files which seed they run.

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Set for the child.
const CHILD: &str = "SIM_CHILD";

/// Where the threads of the child note their seeds.
fn folder() -> PathBuf {
    Path::new("target/sim/running").to_owned()
}

/// Whether this is the process that runs the seeds.
pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs this program again as a child, with the same arguments.
pub(crate) fn watch() -> ExitCode {
    let folder = folder();
    drop(fs::remove_dir_all(&folder));
    drop(fs::create_dir_all(&folder));
    let child = std::env::current_exe().and_then(|program| {
        Command::new(program).args(std::env::args_os().skip(1)).env(CHILD, "1").status()
    });
    match child {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) if status.code().is_some() => ExitCode::FAILURE,
        Ok(status) => {
            println!("FAILED I21 the process has died: {status}");
            println!("  while it ran these seeds: {}", running(&folder).join(", "));
            println!("  again, one after the other: cargo run --release -p sim -- --seed SEED");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("FAILED to run the seeds: {error}");
            ExitCode::FAILURE
        }
    }
}

fn running(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let noted = files.filter_map(|file| fs::read_to_string(file.path()).ok());
    noted.map(|seed| seed.trim().to_owned()).collect()
}

/// The note of a thread. Without a parent there is none.
#[derive(Debug)]
pub(crate) struct Note(Option<File>);

impl Note {
    pub(crate) fn of_thread(number: usize) -> Self {
        let create = || File::create(folder().join(number.to_string()));
        Self(is_child().then(create).and_then(Result::ok))
    }

    pub(crate) fn running(&mut self, seed: u64) {
        if let Some(file) = &mut self.0 {
            drop(file.rewind().and_then(|()| write!(file, "{seed:<20}")));
        }
    }
}
