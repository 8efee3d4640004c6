//! The workers: processes that run this program with the command `work`.

use std::process::Stdio;
use std::time::Duration;

use durable::prelude::*;
use durable_postgres::{PostgresOptions, PostgresStore};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time;

/// How many activities a worker runs at once, and how long each waits.
pub(crate) const AT_ONCE: usize = 50;
pub(crate) const WAIT: Duration = Duration::from_millis(500);

#[activity]
async fn wait() -> Result<()> {
    time::sleep(WAIT).await;
    Ok(())
}

/// Calls a service that lets it wait.
#[orchestrator]
pub(crate) async fn waiting(ctx: &OrchestrationContext) -> Result<()> {
    Ok(wait().await?)
}

/// Lives until it is called.
#[orchestrator]
pub(crate) async fn called(ctx: &OrchestrationContext) -> Result<()> {
    Ok(ctx.wait_for_external_event::<()>("Call").await?)
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Counter(u64);

#[entity]
impl Counter {
    pub(crate) fn add(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

/// A process. It is killed with this value.
pub(crate) struct Worker {
    pub(crate) name: String,
    pub(crate) child: Child,
}

impl Worker {
    pub(crate) fn start(url: &str, name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let mut worker = Command::new(std::env::current_exe()?);
        worker.args(["work", url, &name]).stdin(Stdio::piped()).kill_on_drop(true);
        Ok(Self { child: worker.spawn()?, name })
    }

    pub(crate) async fn leave(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        self.child.wait().await?;
        Ok(())
    }
}

/// Opens the hub with this many partitions: as a worker that has a name, or as a client.
pub(crate) async fn open(url: &str, worker: Option<&str>, partitions: u16) -> Result<TaskHub> {
    let store = PostgresStore::connect_with(PostgresOptions::new(url)?).await?;
    let hub = TaskHub::builder().store(store).activity_concurrency(AT_ONCE);
    let hub = match worker {
        Some(name) => hub.node_name(name),
        None => hub.partitions(partitions).client_only(),
    };
    Ok(hub.open().await?)
}

pub(crate) async fn work(url: &str, name: &str) -> Result<()> {
    let hub = open(url, Some(name), 0).await?;
    let _ended = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
    Ok(hub.shutdown().await?)
}

/// Waits until this many workers share the partitions evenly.
pub(crate) async fn balanced(hub: &TaskHub, workers: usize) -> Result<()> {
    loop {
        let members = hub.members().await?;
        let owned = members.nodes.iter().filter(|member| !member.node.is_client);
        let owned: Vec<_> = owned.map(|member| member.partitions.len()).collect();
        let (least, most) = (owned.iter().min(), owned.iter().max());
        let is_even = least.zip(most).is_some_and(|(least, most)| most - least <= 1);
        if owned.len() == workers && is_even && members.free.is_empty() {
            return Ok(());
        }
        time::sleep(Duration::from_millis(50)).await;
    }
}
