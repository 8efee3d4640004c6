//! This program as a child process, which can be measured and killed.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use clap::ValueEnum;
use durable::{Error, Result};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child as Process, Command};

use crate::clock::now;
use crate::ours::{self, hello_sequence};
use crate::peer::Peer;
use crate::system::peak_memory_mb;
use crate::workloads::entities::Signals;
use crate::workloads::sleepers::{STARTS_AT_ONCE, put_to_sleep};

/// The role of a child process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    DurableSleep,
    DurableWake,
    DurableCount,
    DuroxideSleep,
    DuroxideWake,
}

/// The report of a child process.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    /// How long it took.
    pub(crate) seconds: f64,
    /// How much memory it had at most.
    pub(crate) peak_mb: f64,
}

/// A running child process.
#[derive(Debug)]
pub(crate) struct Child {
    process: Process,
}

impl Child {
    pub(crate) fn start(role: Role, folder: &Path, count: usize) -> Result<Self> {
        let role = role.to_possible_value().map(|role| role.get_name().to_owned());
        let process = Command::new(std::env::current_exe()?)
            .arg("--dir")
            .arg(folder)
            .args(["--child", &role.unwrap_or_default(), "--count", &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { process })
    }

    /// Its report when it is done.
    pub(crate) async fn told(&mut self) -> Result<Told> {
        let output = self.process.stdout.take().ok_or_else(|| Error::msg("no output"))?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).await?;
        serde_json::from_str(&line)
            .map_err(|error| Error::msg(format!("a child said `{}`: {error}", line.trim())))
    }

    /// Kills it (SIGKILL where there are signals) and waits until it is gone.
    pub(crate) async fn kill(mut self) -> Result<()> {
        Ok(self.process.kill().await?)
    }
}

/// Runs the role of a child; then waits to be killed.
pub(crate) async fn act(role: Role, folder: &Path, count: usize) -> Result<()> {
    let began = now();
    let (mut hub, mut peer) = (None, None);
    match role {
        Role::DurableSleep => {
            let (opened, _) = ours::open(folder).await?;
            put_to_sleep(&opened, count).await?;
            hub = Some(opened);
        }
        Role::DurableWake => {
            let (opened, _) = ours::open(folder).await?;
            opened.start(hello_sequence()).await?.result().await?;
            hub = Some(opened);
        }
        Role::DurableCount => {
            let (opened, notes) = ours::open(folder).await?;
            Signals { keys: count, signals: count }.carry_out(&opened, &notes).await?;
            hub = Some(opened);
        }
        Role::DuroxideSleep => {
            let opened = Arc::new(Peer::open(folder).await?);
            put_peers_to_sleep(&opened, count).await?;
            peer = Some(opened);
        }
        Role::DuroxideWake => {
            let opened = Arc::new(Peer::open_after(folder, count).await?);
            opened.run("hello_sequence", "").await?;
            peer = Some(opened);
        }
    }
    let told = Told { seconds: began.elapsed().as_secs_f64(), peak_mb: peak_memory_mb() };
    println!("{}", serde_json::to_string(&told)?);
    // The parent holds the other end; when it is gone, the child ends.
    let mut nothing = Vec::new();
    tokio::io::stdin().read_to_end(&mut nothing).await?;
    drop((hub, peer));
    Ok(())
}

async fn put_peers_to_sleep(peer: &Arc<Peer>, count: usize) -> Result<()> {
    let peer = Arc::clone(peer);
    let one = move || {
        let peer = Arc::clone(&peer);
        async move {
            peer.begin("sleeper", "").await?;
            Ok(())
        }
    };
    crate::load::times(STARTS_AT_ONCE, count, one).await?;
    Ok(())
}
