//! A soak test: a process that works on a hub is killed and started again every few seconds, for
//! the given time. At the end, nothing may be lost, duplicated or stuck.
//!
//! ```text
//! cargo run --release -p sim --bin soak -- --minutes 10
//! ```
//! Files: `work.rs` (the orchestrations), `child.rs` (the process that is killed), `journal.rs`
//! (what that process requested, and what was acknowledged).
#![allow(clippy::disallowed_methods, reason = "a soak runs in real time")]

mod child;
mod journal;
mod work;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;

/// How often memory and disk are measured.
const SAMPLE: Duration = Duration::from_millis(200);
/// How long the last process may take to finish the remaining work.
const DRAIN: Duration = Duration::from_mins(5);

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Kills and restarts a process that works on a hub.
#[derive(Debug, Parser)]
struct Options {
    /// How long to run.
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// The average time between two kills, in seconds.
    #[arg(long, default_value_t = 3.0)]
    every: f64,
    /// Determines the times of the kills.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder of the hub; by default, a temporary folder that is removed.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Set for the process that is killed: the round.
    #[arg(long, hide = true)]
    round: Option<u64>,
    /// Set for the last process, which ends by itself.
    #[arg(long, hide = true)]
    drain: bool,
}

/// The maximum memory and disk space in use.
#[derive(Debug, Default)]
struct Peak {
    memory: u64,
    disk: u64,
}

impl Peak {
    fn measure(&mut self, child: &Child, folder: &Path) {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|it| it.split_whitespace().next()?.parse::<u64>().ok());
        self.memory = self.memory.max(kilobytes.unwrap_or_default() * 1024);
        self.disk = self.disk.max(disk(folder));
    }
}

/// The bytes in the files of a folder.
fn disk(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    if let (Some(round), Some(folder)) = (options.round, &options.folder) {
        child::run(folder, round, options.drain)?;
        return Ok(ExitCode::SUCCESS);
    }
    let temporary = tempfile::tempdir()?;
    let folder = options.folder.clone().unwrap_or_else(|| temporary.path().to_owned());
    fs::create_dir_all(&folder)?;
    soak(&options, &folder)
}

fn soak(options: &Options, folder: &Path) -> Result<ExitCode> {
    let end = Instant::now() + Duration::from_secs_f64(options.minutes * 60.0);
    let (mut peak, mut random, mut round) = (Peak::default(), options.seed, 0);
    while Instant::now() < end {
        let mut process = start(folder, round, false)?;
        random = next(random);
        // Between 0 and twice the average, so that some kills hit a process that is opening the
        // hub.
        let share = f64::from(u16::try_from(random >> 48)?) / f64::from(u16::MAX);
        let until = Instant::now() + Duration::from_secs_f64(2.0 * options.every * share);
        while Instant::now() < until {
            if let Some(status) = process.try_wait()? {
                return Err(format!("round {round}: the process ended by itself: {status}").into());
            }
            peak.measure(&process, folder);
            thread::sleep(SAMPLE.min(until.saturating_duration_since(Instant::now())));
        }
        process.kill()?;
        process.wait()?;
        round += 1;
    }
    let mut last = start(folder, round, true)?;
    let given_up = Instant::now() + DRAIN;
    let is_drained = loop {
        peak.measure(&last, folder);
        match last.try_wait()? {
            Some(status) => break status.success(),
            None if Instant::now() > given_up => {
                last.kill()?;
                last.wait()?;
                break false;
            }
            None => thread::sleep(SAMPLE),
        }
    };
    report(folder, round, is_drained, &peak)
}

fn report(folder: &Path, rounds: u64, is_drained: bool, peak: &Peak) -> Result<ExitCode> {
    let known = journal::Known::read(folder)?;
    let counted = journal::counted(folder)?;
    let (mut lost, mut duplicated) = (0, 0);
    for (round, tried) in known.tried() {
        let counted = counted.get(&round).copied().unwrap_or_default();
        lost += tried.saturating_sub(counted);
        duplicated += counted.saturating_sub(tried);
    }
    let stuck = if is_drained { 0 } else { lost };
    let started: u64 = known.tried().map(|(_, tried)| tried).sum();
    println!("{rounds} kills, {started} orchestrations");
    println!("lost {}, duplicated {duplicated}, stuck {stuck}", lost - stuck);
    let mib = |bytes: u64| bytes >> 20;
    println!("memory {} MiB, disk {} MiB at most", mib(peak.memory), mib(peak.disk));
    println!("disk {} MiB at the end", mib(disk(folder)));
    let is_fine = is_drained && lost == 0 && duplicated == 0;
    Ok(if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn start(folder: &Path, round: u64, drain: bool) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--folder").arg(folder).args(["--round", &round.to_string()]);
    if drain {
        command.arg("--drain");
    }
    Ok(command.stdin(Stdio::null()).spawn()?)
}

/// The next number of a sequence (splitmix64).
fn next(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}
