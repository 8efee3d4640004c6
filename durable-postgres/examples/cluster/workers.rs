//! The workers: processes that run this program with the command `work`.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use durable::prelude::*;
use durable_postgres::{PostgresOptions, PostgresStore};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

/// What happens to a worker.
#[derive(Clone, Copy)]
pub(crate) enum Act {
    Start(u32),
    /// SIGKILL: it has no time to say goodbye.
    Kill(u32),
    /// It hands its partitions on, and ends.
    Leave(u32),
}

/// The workers that run.
pub(crate) struct Workers {
    url: String,
    running: BTreeMap<u32, Child>,
}

/// Opens the hub: as a worker that has a name, or as a client.
pub(crate) async fn open(url: &str, worker: Option<&str>) -> Result<TaskHub> {
    let options = PostgresOptions::new(url)?.schema("durable_cluster")?;
    let store = PostgresStore::connect_with(options.lease(Duration::from_secs(4))).await?;
    let hub = TaskHub::builder().store(store).partitions(32);
    let hub = match worker {
        Some(name) => hub.node_name(name),
        None => hub.client_only(),
    };
    Ok(hub.open().await?)
}

/// What a worker does: nothing but open the hub. It leaves the hub when its standard input ends.
pub(crate) async fn work(url: &str, name: &str) -> Result<()> {
    let hub = open(url, Some(name)).await?;
    let _ended = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
    Ok(hub.shutdown().await?)
}

impl Workers {
    pub(crate) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), running: BTreeMap::new() }
    }

    /// Does it, and says what was done.
    pub(crate) async fn carry_out(&mut self, act: Act) -> Result<String> {
        match act {
            Act::Start(number) => {
                let mut worker = Command::new(std::env::current_exe()?);
                worker.args(["--url", &self.url, "work", &format!("worker-{number}")]);
                worker.stdin(Stdio::piped()).kill_on_drop(true);
                self.running.insert(number, worker.spawn()?);
                Ok(format!("worker {number} starts"))
            }
            Act::Kill(number) => {
                if let Some(mut worker) = self.running.remove(&number) {
                    worker.kill().await?;
                }
                Ok(format!("worker {number} is killed (kill -9)"))
            }
            Act::Leave(number) => {
                if let Some(mut worker) = self.running.remove(&number) {
                    drop(worker.stdin.take());
                    worker.wait().await?;
                }
                Ok(format!("worker {number} has left"))
            }
        }
    }

    pub(crate) async fn end(mut self) -> Result<()> {
        while let Some(number) = self.running.keys().next().copied() {
            self.carry_out(Act::Leave(number)).await?;
        }
        Ok(())
    }
}
