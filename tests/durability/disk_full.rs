//! A full disk: new work is refused while there is still room for running instances, nothing
//! acknowledged is lost, and the hub continues by itself once there is room again.
//!
//! The disk is a small one in memory, which a child mounts for itself. If the system does not
//! permit that, the tests report that they were skipped.

use std::fs::{self, File};
use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use durable::client::InstanceQuery;
use durable::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::child::{self, Task};
use crate::seed::Random;

pub(crate) const MIB: usize = 1024 * 1024;
const DISK: &str = "256m";
/// The size of other files on the disk, which are removed later.
const BALLAST: usize = 128 * MIB;
/// How many instances run while the disk is filled, and how much each has yet to write.
const RUNNING: u32 = 20;
const RESULT_LEN: usize = 64 * 1024;
const INPUT_LEN: usize = 256 * 1024;
/// More would not fit on the disk.
const STARTS_MAX: usize = 256 * MIB / INPUT_LEN;
/// With less room, the store does not begin a write.
const BEGINS_NO_WRITE: u64 = 7 * MIB as u64;
const PATIENCE: Duration = Duration::from_mins(1);

/// A hub on a small disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SmallDisk {
    folder: PathBuf,
    /// Whether other files then take the space that the hub has left free.
    to_the_brim: bool,
}

struct Gate(watch::Receiver<bool>);

/// Waits at the gate, and then returns a large output.
#[activity]
async fn fetch(gate: State<Gate>, n: usize) -> Result<String> {
    gate.0.clone().wait_for(|is_open| *is_open).await?;
    Ok("x".repeat(RESULT_LEN + n))
}

#[orchestrator]
async fn report(ctx: &OrchestrationContext, n: usize) -> Result<usize> {
    let first = fetch(n).await?.len();
    Ok(first + fetch(n).await?.len())
}

#[orchestrator]
async fn keep(ctx: &OrchestrationContext, text: String) -> Result<usize> {
    Ok(text.len())
}

impl SmallDisk {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    async fn open(&self) -> Result<(TaskHub, watch::Sender<bool>)> {
        let (gate, waiting) = watch::channel(false);
        let hub = TaskHub::builder().path(self.file("hub")).state(Gate(waiting)).open().await?;
        Ok((hub, gate))
    }

    /// The task of the child. Each answer reports its progress.
    #[tokio::main]
    pub(crate) async fn fill(&self) -> Result<()> {
        fs::write(self.file("ballast"), vec![1; BALLAST])?;
        let (hub, gate) = self.open().await?;
        let mut running = Vec::new();
        for n in 0..RUNNING {
            running.push(hub.start(report(n as usize).instance_id(format!("report-{n}"))).await?);
        }
        let (kept, refusal) = fill(&hub).await?;
        child::answer(&format!("refused: {refusal}"));
        if self.to_the_brim {
            take_the_rest(&self.file("rest")).await?;
        } else {
            File::create(self.file("probe"))?.write_all(&vec![1; 65536])?;
            child::answer("room left");
        }
        gate.send(true)?;
        // Running instances may finish now, or wait until there is room.
        fs::remove_file(self.file("ballast"))?;
        if self.to_the_brim {
            fs::remove_file(self.file("rest"))?;
        }
        for (n, run) in running.iter().enumerate() {
            assert_eq!(soon(run.result()).await??, 2 * (RESULT_LEN + n));
        }
        child::answer("went on");
        for number in 0..kept {
            let run = hub.find_instance::<keep>(&format!("keep-{number}")).await?;
            assert_eq!(soon(run.expect("it was acknowledged").result()).await??, INPUT_LEN);
        }
        soon(start_at_last(&hub)).await?;
        child::answer("accepts work again");
        hub.shutdown().await?;
        self.check(kept).await?;
        child::answer("all is there");
        Ok(())
    }

    /// Opens the hub again and finds everything in it.
    async fn check(&self, kept: usize) -> Result<()> {
        let (hub, _gate) = self.open().await?;
        for number in 0..kept {
            let run = hub.find_instance::<keep>(&format!("keep-{number}")).await?;
            assert_eq!(run.expect("it was acknowledged").result().await?, INPUT_LEN);
        }
        // The last one, and perhaps one that was started without an acknowledgement.
        let least = kept as u64 + u64::from(RUNNING) + 1;
        let found = hub.count(&InstanceQuery::new()).await?;
        assert!((least..=least + 1).contains(&found), "{found} instances, not {least}");
        Ok(hub.shutdown().await?)
    }
}

/// Starts instances until one is refused. Returns the number of accepted instances, and why the
/// last one was refused.
async fn fill(hub: &TaskHub) -> Result<(usize, String)> {
    for number in 0..STARTS_MAX {
        let keep = keep(noise(number)).instance_id(format!("keep-{number}"));
        if let Err(error) = hub.start(keep).await {
            let refusal = format!("{:?}", Error::from(error)).replace('\n', " ");
            return Ok((number, refusal));
        }
    }
    Err(Error::msg("more was accepted than fits on the disk"))
}

/// A text that hardly compresses.
fn noise(seed: usize) -> String {
    let mut random = Random::new(seed as u64);
    let letter = |_| char::from(b'A' + u8::try_from(random.below(26)).unwrap_or_default());
    (0..INPUT_LEN).map(letter).collect()
}

/// Fills a file until there is no room on the disk.
///
/// The last bytes are written a little later: by then, a write that the store had begun is
/// complete, and no other begins. If the space disappeared during a write, the hub would stop with
/// an error that says so, until it is opened again.
async fn take_the_rest(path: &Path) -> Result<()> {
    let mut file = File::create(path)?;
    while fs4::available_space(path)? > BEGINS_NO_WRITE {
        file.write_all(&vec![1; MIB])?;
    }
    let _ = tokio::time::timeout(Duration::from_millis(300), std::future::pending::<()>()).await;
    for part in [MIB, 4096, 1] {
        while file.write_all(&vec![1; part]).is_ok() {}
    }
    Ok(())
}

async fn start_at_last(hub: &TaskHub) {
    while hub.start(keep("at last".to_owned()).instance_id("at-last")).await.is_err() {
        tokio::task::yield_now().await;
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> Result<T> {
    Ok(tokio::time::timeout(PATIENCE, future).await?)
}

/// Runs a command in a process in which a small disk is mounted on `folder`. If that is not
/// possible, prints so and returns `None`.
pub(crate) fn on_small_disk(folder: &Path, command: &Command) -> Option<Output> {
    let mount = format!("mount -t tmpfs -o size={DISK} tmpfs \"$0\" && exec \"$@\"");
    let run = |flags: &str, command: &Command| {
        let mut run = Command::new("unshare");
        run.args([flags, "sh", "-c", &mount]).arg(folder);
        run.arg(command.get_program()).args(command.get_args());
        run.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
        run.stdin(Stdio::null()).output()
    };
    // Root may mount even where other users may not.
    let mut refusal = String::new();
    for flags in ["-Urm", "-m"] {
        match run(flags, &Command::new("true")) {
            Ok(tried) if tried.status.success() => return Some(run(flags, command).unwrap()),
            Ok(tried) => refusal = String::from_utf8_lossy(&tried.stderr).trim().into(),
            Err(error) => refusal = error.to_string(),
        }
    }
    // Bypasses the test harness, which captures the output of tests.
    let said = format!("SKIPPED, no small disk can be mounted: {refusal}\n");
    std::io::stderr().write_all(said.as_bytes()).unwrap();
    None
}

fn fill_disk(to_the_brim: bool) {
    let (_guard, folder) = child::folder();
    let task = Task::FillDisk(SmallDisk { folder: folder.clone(), to_the_brim });
    let Some(output) = on_small_disk(&folder, &child::command(&task)) else { return };
    let said = String::from_utf8_lossy(&output.stdout);
    let answers: Vec<_> = said.lines().filter_map(child::answer_in).collect();
    let errors = String::from_utf8_lossy(&output.stderr);
    let refused = answers.first().filter(|answer| answer.contains("the disk"));
    assert!(refused.is_some(), "not refused because of the disk: {answers:?}\n{errors}");
    let left = (!to_the_brim).then_some("room left");
    let wanted: Vec<_> =
        left.into_iter().chain(["went on", "accepts work again", "all is there"]).collect();
    assert_eq!(answers[1..], wanted, "\n{errors}");
}

#[test]
fn a_hub_that_filled_its_disk_continues_when_space_is_freed() {
    fill_disk(false);
}

#[test]
fn a_hub_whose_disk_others_filled_continues_when_space_is_freed() {
    fill_disk(true);
}
