//! The parent process, which watches the process that runs the seeds. If a seed ends that process,
//! the parent reports which seed it was.
//!
//! A panic during a panic and a stack overflow end a process at once. Therefore the seeds run in a
//! child process, whose threads record in files which seeds they are running.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::time::Duration;

/// Set for the child.
const CHILD: &str = "SIM_CHILD";

/// The exit code of a process whose main thread panics.
const PANICKED: i32 = 101;

/// How long a seed may take. On a quiet machine it takes some milliseconds.
const SEED_MAX: Duration = Duration::from_mins(1);

/// How often the parent checks its child.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The folder in which the threads of the child write their seeds.
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
        let mut child = Command::new(program);
        let child = child.args(std::env::args_os().skip(1)).env(CHILD, "1").spawn();
        child.and_then(|child| wait(child, &folder))
    });
    match child {
        Ok(Some(status)) if status.success() => ExitCode::SUCCESS,
        Ok(None) => {
            println!("FAILED I19 a seed does not end within {SEED_MAX:?}");
            println!("  these seeds ran: {}", running(&folder).join(", "));
            ExitCode::FAILURE
        }
        Ok(Some(status)) if status.code() == Some(PANICKED) => {
            println!("FAILED I21 a panic leaves the simulator");
            println!("  while it ran these seeds: {}", running(&folder).join(", "));
            ExitCode::FAILURE
        }
        Ok(Some(status)) if status.code().is_some() => ExitCode::FAILURE,
        Ok(Some(status)) => {
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

/// Waits for the end of the child. `None` if one of its seeds did not end, so that the child was
/// killed.
#[expect(clippy::disallowed_methods, reason = "nothing tells how long a seed has run already")]
fn wait(mut child: Child, folder: &Path) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let notes = fs::read_dir(folder).into_iter().flatten().flatten();
        let ages = notes.filter_map(|note| note.metadata().ok()?.modified().ok()?.elapsed().ok());
        if ages.max().is_some_and(|oldest| oldest > SEED_MAX) {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn running(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let noted = files.filter_map(|file| fs::read_to_string(file.path()).ok());
    noted.map(|seed| seed.trim().to_owned()).collect()
}

/// The file of a thread, which is removed when the thread ends. Absent without a parent.
#[derive(Debug)]
pub(crate) struct Note(Option<(File, PathBuf)>);

impl Note {
    pub(crate) fn of_thread(name: &str) -> Self {
        let path = folder().join(name);
        let create = |path: PathBuf| Some((File::create(&path).ok()?, path));
        Self(is_child().then_some(path).and_then(create))
    }

    pub(crate) fn running(&mut self, seed: u64) {
        if let Some((file, _)) = &mut self.0 {
            drop(file.rewind().and_then(|()| write!(file, "{seed:<20}")));
        }
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        if let Some((_, path)) = &self.0 {
            drop(fs::remove_file(path));
        }
    }
}
