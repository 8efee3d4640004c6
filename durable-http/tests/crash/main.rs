//! A server that is killed while 64 connections start instances and raise events: nothing
//! acknowledged is lost, and nothing starts twice under one idempotency key.
//!
//! The test runs this very program again as a child, which serves a hub on a free port and prints
//! it. Clients send requests until they are acknowledged, to whichever child is alive. Each child
//! is killed after a random number of acknowledgements. `DURABLE_LONG=1` does it for a minute.

#![allow(clippy::disallowed_methods, reason = "processes are killed in real time")]

#[path = "../../../tests/support/seed.rs"]
mod seed;

mod client;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use durable::client::InstanceQuery;
use durable::prelude::*;
use durable_http::HttpOptions;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::client::{Acknowledged, Client};
use self::seed::Random;

const CONNECTIONS: usize = 64;
/// Where the child finds its folder.
const FOLDER: &str = "DURABLE_HTTP_CRASH_TEST_FOLDER";
/// The line of a child that serves: this, and its address.
const SERVING: &str = "serving ";

/// Waits for one event and returns it.
#[orchestrator]
async fn order(ctx: &OrchestrationContext, key: String) -> Result<(String, u32)> {
    let cents = ctx.wait_for_external_event::<u32>("paid").await?;
    Ok((key, cents))
}

/// The child: serves the hub in `folder` until it is killed.
#[tokio::main]
async fn child(folder: &Path) -> Result<()> {
    let hub = TaskHub::builder().path(folder).open().await?;
    let server = durable_http::serve(&hub, HttpOptions::new().listen("127.0.0.1:0")).await?;
    println!("\n{SERVING}{}", server.addresses()[0]);
    std::future::pending().await
}

fn spawn(folder: &Path) -> Result<(Child, std::net::SocketAddr)> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["nothing_acknowledged", "--nocapture", "--test-threads", "1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let output = child.stdout.take().expect("it is piped");
    for line in BufReader::new(output).lines() {
        if let Some(address) = line?.strip_prefix(SERVING) {
            return Ok((child, address.parse()?));
        }
    }
    Err(Error::msg(format!("a child serves nothing: {}", child.wait()?)))
}

/// How long children are killed, and how many are.
fn is_over(began: Instant, rounds: u32) -> bool {
    if seed::is_long() { began.elapsed() > Duration::from_mins(1) } else { rounds == 12 }
}

#[test]
fn a_kill_loses_nothing_acknowledged_and_starts_nothing_twice() -> Result<()> {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return child(Path::new(&folder));
    }
    let folder = tempfile::tempdir()?;
    let acknowledged = besiege(folder.path())?;
    check(folder.path(), &acknowledged)
}

/// Kills server after server under load. The last one serves until each client is done.
#[tokio::main]
async fn besiege(folder: &Path) -> Result<Vec<Acknowledged>> {
    let mut random = Random::new(seed::seed());
    let (mut server, address) = spawn(folder)?;
    let (to_clients, address) = watch::channel(address);
    let (to_test, mut acknowledgements) = mpsc::unbounded_channel();
    let is_done = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for number in 0..CONNECTIONS {
        let client = Client::new(number, address.clone(), to_test.clone());
        clients.spawn(client.run(Arc::clone(&is_done)));
    }
    let (began, mut rounds) = (Instant::now(), 0);
    while !is_over(began, rounds) {
        for _ in 0..=random.below(400) {
            tokio::select! {
                _ = acknowledgements.recv() => {}
                failed = clients.join_next() => panic!("a client ended early: {failed:?}"),
            }
        }
        server.kill()?;
        server.wait()?;
        let address;
        (server, address) = spawn(folder)?;
        to_clients.send_replace(address);
        rounds += 1;
    }
    is_done.store(true, Ordering::Relaxed);
    let acknowledged = clients.join_all().await.concat();
    server.kill()?;
    server.wait()?;
    println!("{rounds} kills, {} instances started and their events raised", acknowledged.len());
    Ok(acknowledged)
}

/// Opens the hub that the killed servers have left, and compares it with what clients know.
#[tokio::main]
async fn check(folder: &Path, acknowledged: &[Acknowledged]) -> Result<()> {
    let hub = TaskHub::builder().path(folder).open().await?;
    let mut by_key = BTreeMap::new();
    for Acknowledged { id, key, cents } in acknowledged {
        let run = hub.find_instance::<order>(id).await?;
        let run = run.unwrap_or_else(|| panic!("the start of {id} was acknowledged and is lost"));
        let result = tokio::time::timeout(Duration::from_mins(1), run.result()).await;
        let result =
            result.unwrap_or_else(|_| panic!("the event of {id} was acknowledged and lost"))?;
        assert_eq!(result, (key.clone(), *cents));
        assert_eq!(by_key.insert(key, id), None, "{key}");
    }
    let count = hub.count(&InstanceQuery::new()).await?;
    assert_eq!(count, by_key.len() as u64, "each key has started one instance");
    assert!(by_key.len() >= CONNECTIONS);
    hub.shutdown().await?;
    Ok(())
}
