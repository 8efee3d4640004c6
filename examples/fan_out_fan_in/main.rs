//! Fan-out, fan-in: backs up a folder with one activity per file, and continues after a crash.
//!
//! ```text
//! cargo run --release -p examples --bin fan_out_fan_in -- --from DIR --to DIR --hub DIR
//! ```
//! Kill it in the middle and run the same command again: files whose copy is recorded are not
//! copied again.
//!
//! Read next: `backup.rs` (the orchestrator and its activities), `files.rs` (operations on files).

mod backup;
mod files;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf, absolute};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use clap::Parser;
use durable::OrchestrationHandle;
use durable::client::{OpenError, ResultError};
use durable::prelude::*;
use durable::protocol::{EventKind, HistoryEvent};
use indicatif::{ProgressBar, ProgressStyle};

use crate::backup::{Backup, backup_folder};

/// Backs up a folder, durably.
#[derive(Parser)]
struct Arguments {
    /// The folder to copy.
    #[arg(long)]
    from: PathBuf,
    /// Where to copy it. Existing files of the same names are replaced.
    #[arg(long)]
    to: PathBuf,
    /// The folder of the task hub.
    #[arg(long)]
    hub: PathBuf,
}

/// The progress of the copying activities.
pub(crate) struct Progress {
    bar: ProgressBar,
    copied: AtomicU64,
}

impl Progress {
    fn new() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} files {eta}") {
            bar.set_style(style);
        }
        Self { bar, copied: AtomicU64::new(0) }
    }

    pub(crate) fn expect(&self, files: usize) {
        self.bar.set_length(files as u64);
    }

    pub(crate) fn copied(&self) {
        self.copied.fetch_add(1, Ordering::Relaxed);
        self.bar.inc(1);
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:?}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (from, to) = (absolute(&arguments.from)?, absolute(&arguments.to)?);
    if absolute(&arguments.hub)?.starts_with(&from) {
        return Err(Error::msg("the hub is inside of the folder to copy; choose another --hub"));
    }
    let progress = Arc::new(Progress::new());
    let opened = now();
    let hub = TaskHub::builder()
        .path(&arguments.hub)
        .activity_concurrency(16)
        .state(Arc::clone(&progress))
        .open()
        .await
        .map_err(explain_open)?;
    let backup = start_or_go_on(&hub, &from, &to, &progress, opened).await?;
    let result = backup.result().await;
    progress.bar.finish_and_clear();
    let copied_now = progress.copied.load(Ordering::Relaxed);
    let code = match result {
        Ok(backup) => report(&backup, copied_now),
        Err(ResultError::Failed(failed)) => {
            eprintln!("error: no backup was made: {}", failed.details());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    };
    hub.shutdown().await?;
    Ok(code)
}

#[expect(clippy::disallowed_methods, reason = "this is no orchestrator: it may ask for the time")]
fn now() -> SystemTime {
    SystemTime::now()
}

fn explain_open(error: OpenError) -> Error {
    match error {
        OpenError::InUse { .. } => Error::msg(format!(
            "{error}\nif that is another backup, let it finish, or use another --hub"
        )),
        error => error.into(),
    }
}

/// The backup that the hub had not finished when it was opened, or a new one.
async fn start_or_go_on(
    hub: &TaskHub,
    from: &Path,
    to: &Path,
    progress: &Progress,
    opened: SystemTime,
) -> Result<OrchestrationHandle<backup_folder>> {
    for number in 1.. {
        let id = format!("backup-{number}");
        let Some(backup) = hub.find_instance::<backup_folder>(&id).await? else {
            println!("backing {} up to {}", from.display(), to.display());
            return Ok(hub.start(backup_folder(from, to).instance_id(id)).await?);
        };
        let status = backup.status().await?;
        // The hub resumes the backup as soon as it is open, and may have finished it since.
        let finished_before = status.runtime_status.is_finished()
            && SystemTime::from(status.last_updated_at.to_datetime()) < opened;
        if !finished_before {
            let history = backup.history().await?;
            check_same(&history, from, to)?;
            go_on(&history, progress);
            return Ok(backup);
        }
    }
    Err(Error::msg("there are no numbers left"))
}

/// An unfinished backup must be the requested one.
fn check_same(history: &[HistoryEvent], from: &Path, to: &Path) -> Result<()> {
    let input = history.iter().find_map(|event| match &event.kind {
        EventKind::ExecutionStarted(started) => Some(&started.input),
        _ => None,
    });
    let Some(input) = input else { return Ok(()) };
    let (old_from, old_to): (PathBuf, PathBuf) = serde_json::from_str(input.as_str())?;
    if (old_from.as_path(), old_to.as_path()) == (from, to) {
        return Ok(());
    }
    Err(Error::msg(format!(
        "the hub holds an unfinished backup of {} to {}: finish it with the same --from and --to, \
         or use another --hub",
        old_from.display(),
        old_to.display()
    )))
}

fn go_on(history: &[HistoryEvent], progress: &Progress) {
    let copies: BTreeSet<i32> = history
        .iter()
        .filter(|event| matches!(&event.kind, EventKind::TaskScheduled { name, .. } if name == "copy_file"))
        .map(|event| event.event_id)
        .collect();
    let is_copied = |event: &&HistoryEvent| match &event.kind {
        EventKind::TaskCompleted { task_scheduled_id, .. } => copies.contains(task_scheduled_id),
        _ => false,
    };
    let recorded = history.iter().filter(is_copied).count();
    if copies.is_empty() {
        println!("going on with an unfinished backup: its files were not listed yet");
        return;
    }
    println!(
        "going on with an unfinished backup: {recorded} of {} files are recorded as copied and are \
         not copied again",
        copies.len()
    );
    progress.bar.set_length(copies.len() as u64);
    progress.bar.inc(recorded as u64);
}

fn report(backup: &Backup, copied_now: u64) -> ExitCode {
    println!(
        "{} files with {} bytes are copied, {copied_now} of them in this run",
        backup.files, backup.bytes
    );
    if backup.failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("{} could not be copied:", backup.failed.len());
    for failed in &backup.failed {
        eprintln!("  {failed}");
    }
    eprintln!("fix that and run the same command again: it makes a new backup");
    ExitCode::FAILURE
}
