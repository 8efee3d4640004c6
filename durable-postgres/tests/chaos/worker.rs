//! A process of the hub: this very program, run again with only the test `worker_process`.
//!
//! It starts jobs and waits for them, and tells each as a line of its output as soon as it knows. A line
//! on its input ends the starting; the end of its input ends the process.

use std::io::{BufRead, Write};
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use durable::prelude::*;
use durable_postgres::{PostgresOptions, PostgresStore};
use serde::{Deserialize, Serialize};

use crate::hub::{PATIENCE, pass};
use crate::work::{self, Order, Receipt};

/// What the process is to do, as JSON.
pub(crate) const TASK: &str = "DURABLE_TEST_WORKER";
/// Begins the lines that are said: the other lines of the output come from the test harness.
pub(crate) const SAYS: &str = "says ";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) name: String,
    pub(crate) at: Database,
    /// How many jobs it has running.
    pub(crate) at_once: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) schema: String,
}

/// What a process says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    /// It has joined. Its wall clock shows this many seconds.
    Ready(u64),
    /// This job was acknowledged.
    Started(String),
    Done(String, Receipt),
    /// A request failed.
    Failed(String),
    /// It starts nothing more, and all that it has started is done.
    Idle,
}

impl Database {
    /// The hub that the processes share.
    pub(crate) async fn open(&self, name: &str, is_client: bool) -> Result<TaskHub> {
        let options = PostgresOptions::new(&self.url)?.schema(&self.schema)?;
        let options = options.lease(Duration::from_secs(2)).timeout(Duration::from_secs(3));
        let store = PostgresStore::connect_with(options.read_connections(3)).await?;
        let builder = TaskHub::builder().store(store).partitions(16).node_name(name);
        let builder = if is_client { builder.client_only() } else { builder };
        Ok(builder.open().await?)
    }
}

/// What the test `worker_process` does.
pub(crate) fn run() {
    let Ok(task) = std::env::var(TASK) else { return };
    let task: Task = serde_json::from_str(&task).expect("a task");
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
    match runtime.block_on(work(task)) {
        Ok(()) => exit(0),
        Err(error) => {
            say(&Said::Failed(format!("the process ends: {error:?}")));
            exit(1);
        }
    }
}

async fn work(task: Task) -> Result<()> {
    let hub = open(&task).await;
    say(&Said::Ready(wall_clock()));
    let has_to_stop = Arc::new(AtomicBool::new(false));
    let (ending, ended) = tokio::sync::oneshot::channel();
    let stop = Arc::clone(&has_to_stop);
    std::thread::spawn(move || {
        let mut lines = std::io::stdin().lock().lines();
        let _asked = lines.next();
        stop.store(true, Ordering::Release);
        drop(lines.next());
        let _ = ending.send(());
        // If the test has died, so has the database, and nothing comes to its end any more.
        pass(2 * PATIENCE);
        exit(1);
    });
    let next = Arc::new(AtomicU64::new(0));
    let client = || client(hub.clone(), task.name.clone(), next.clone(), has_to_stop.clone());
    let clients = (0..task.at_once).map(|_| tokio::spawn(client()));
    for client in clients.collect::<Vec<_>>() {
        client.await?;
    }
    if has_to_stop.load(Ordering::Acquire) {
        say(&Said::Idle);
    }
    drop(ended.await);
    Ok(hub.shutdown().await?)
}

#[expect(clippy::disallowed_methods, reason = "the test compares it")]
pub(crate) fn wall_clock() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Opens the hub, again and again while the database cannot be reached.
async fn open(task: &Task) -> TaskHub {
    loop {
        match task.at.open(&task.name, false).await {
            Ok(hub) => return hub,
            Err(error) => eprintln!("{} cannot open the hub: {error:?}", task.name),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Starts one job after the other, and tells what becomes of them.
async fn client(hub: TaskHub, name: String, next: Arc<AtomicU64>, has_to_stop: Arc<AtomicBool>) {
    while !has_to_stop.load(Ordering::Acquire) {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let id = format!("{name}-{number}");
        if let Err(error) = run_job(&hub, &id, number).await {
            say(&Said::Failed(format!("{id}: {error:?}")));
        }
    }
}

async fn run_job(hub: &TaskHub, id: &str, number: u64) -> Result<()> {
    let order = Order { number, waits: false };
    let run = hub.start(work::job(order).instance_id(id)).await?;
    say(&Said::Started(id.to_owned()));
    let receipt = run.result().await?;
    say(&Said::Done(id.to_owned(), receipt));
    Ok(())
}

/// One line, in one piece.
fn say(said: &Said) {
    let line = format!("{SAYS}{}\n", serde_json::to_string(said).expect("JSON"));
    let mut out = std::io::stdout().lock();
    drop(out.write_all(line.as_bytes()).and_then(|()| out.flush()));
}
