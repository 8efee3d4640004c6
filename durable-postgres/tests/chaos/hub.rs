//! A hub of several processes over a database, which is harmed and then judged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use durable::prelude::*;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_postgres::NoTls;

use crate::cluster::Cluster;
use crate::process::{Environment, Heard, Process};
use crate::proxy::Proxy;
use crate::schedule::{Fault, Step};
use crate::work::{self, Order};
use crate::worker::{Database, Said, Task};

/// How long a process may need to join, and a job to end, after all that has happened.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct Hub {
    pub(crate) cluster: Cluster,
    pub(crate) heard: Arc<Heard>,
    slots: Vec<Slot>,
    /// Wait for the processes that leave.
    leaving: Vec<std::thread::JoinHandle<()>>,
    names: usize,
    pub(crate) runtime: Runtime,
    pub(crate) client: TaskHub,
    clients: Vec<JoinHandle<()>>,
    has_to_stop: Arc<AtomicBool>,
}

/// The place of a process, which may be taken by others one after the other.
struct Slot {
    proxy: Proxy,
    process: Process,
    environment: Environment,
}

impl Hub {
    /// Starts a database, a process for each environment, and a client of the test's own.
    pub(crate) fn start(environments: Vec<Environment>) -> Self {
        let cluster = Cluster::start();
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
        run_sql(&runtime, &cluster, "CREATE ROLE app LOGIN; CREATE SCHEMA chaos AUTHORIZATION app");
        let heard = Arc::<Heard>::default();
        let mut names = 0;
        let start = |environment| {
            let proxy = Proxy::start(cluster.address());
            names += 1;
            let process = start(&proxy, names, &heard, &environment);
            Slot { proxy, process, environment }
        };
        let slots: Vec<_> = environments.into_iter().map(start).collect();
        for slot in &slots {
            slot.process.wait_until_ready(PATIENCE);
        }
        let direct = database(cluster.address().port());
        let client = runtime.block_on(direct.open("client", true)).expect("a client");
        let has_to_stop = Arc::new(AtomicBool::new(false));
        let clients = (0..3).map(|lane| {
            let (client, heard) = (client.clone(), Arc::clone(&heard));
            runtime.spawn(start_and_wait(client, heard, lane, Arc::clone(&has_to_stop)))
        });
        let clients = clients.collect();
        Self {
            cluster,
            heard,
            slots,
            leaving: Vec::new(),
            names,
            runtime,
            client,
            clients,
            has_to_stop,
        }
    }

    /// Does all that a schedule says.
    pub(crate) fn harm(&mut self, steps: &[Step]) {
        let begun = stopwatch();
        for step in steps {
            pass(step.at.saturating_sub(begun.elapsed()));
            self.inflict(step);
        }
        for slot in &self.slots {
            slot.process.signal("CONT");
            slot.proxy.has_cut();
        }
        self.limit(None);
        for leaving in self.leaving.drain(..) {
            leaving.join().expect("a process leaves");
        }
    }

    fn inflict(&mut self, Step { process, fault, .. }: &Step) {
        let slot = &mut self.slots[*process];
        match fault {
            Fault::Kill => {
                slot.process.kill();
                self.replace(*process);
            }
            Fault::Stop => slot.process.signal("STOP"),
            Fault::Continue => slot.process.signal("CONT"),
            Fault::Cut(direction, bytes, end) => slot.proxy.cut(*direction, *bytes, *end),
            Fault::Restart => self.cluster.restart("immediate"),
            Fault::Limit(connections) => self.limit(*connections),
            Fault::Leave => {
                slot.process.signal("CONT");
                let new = self.next(*process);
                let old = std::mem::replace(&mut self.slots[*process].process, new);
                // It finishes its jobs first, for which it may need the end of other harm.
                self.leaving.push(std::thread::spawn(move || old.leave()));
            }
        }
    }

    /// Admits only this many sessions, and ends all existing ones.
    fn limit(&self, connections: Option<u64>) {
        let limit = connections.map_or(-1, u64::cast_signed);
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'";
        let end = if connections.is_some() { end } else { "" };
        let sql = format!("ALTER ROLE app CONNECTION LIMIT {limit}; {end}");
        run_sql(&self.runtime, &self.cluster, &sql);
    }

    /// Starts the process that takes the place of one.
    fn replace(&mut self, slot: usize) {
        let new = self.next(slot);
        self.slots[slot].process = new;
    }

    fn next(&mut self, slot: usize) -> Process {
        self.names += 1;
        let slot = &self.slots[slot];
        start(&slot.proxy, self.names, &self.heard, &slot.environment)
    }

    /// Lets all work come to its end.
    pub(crate) fn finish(&mut self) {
        for slot in &mut self.slots {
            slot.process.wait_until_ready(PATIENCE);
            slot.process.let_finish();
        }
        self.has_to_stop.store(true, Ordering::Release);
        let end = async {
            for client in self.clients.drain(..) {
                client.await.expect("a client");
            }
        };
        let ended = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, end).await });
        if ended.is_ok() {
            for slot in &self.slots {
                slot.process.wait_until_idle(PATIENCE);
            }
        }
        // Otherwise the audit finds out what is stuck.
    }

    /// Lets all processes leave.
    pub(crate) fn leave(&mut self) {
        for slot in self.slots.drain(..) {
            slot.process.leave();
        }
        self.runtime.block_on(self.client.clone().shutdown()).expect("a shutdown");
    }
}

fn run_sql(runtime: &Runtime, cluster: &Cluster, sql: &str) {
    runtime.block_on(async {
        let connected = tokio_postgres::connect(&cluster.url(), NoTls).await;
        let (client, connection) = connected.expect("a connection");
        tokio::spawn(connection);
        client.batch_execute(sql).await.expect("a statement");
    });
}

fn database(port: u16) -> Database {
    let url = format!("postgres://app@127.0.0.1:{port}/postgres");
    Database { url, schema: "chaos".to_owned() }
}

fn start(proxy: &Proxy, number: usize, heard: &Arc<Heard>, environment: &Environment) -> Process {
    let (name, at) = (format!("worker-{number}"), database(proxy.port()));
    Process::start(&Task { name, at, at_once: 4 }, heard, environment)
}

/// A client that starts jobs, sends each the event that it waits for, and waits for its result.
async fn start_and_wait(hub: TaskHub, heard: Arc<Heard>, lane: u64, has_to_stop: Arc<AtomicBool>) {
    let mut number = lane;
    while !has_to_stop.load(Ordering::Acquire) {
        let id = format!("client-{number}");
        let run = async {
            let call = work::job(Order { number, waits: true }).instance_id(&id);
            let run = hub.start(call).await?;
            heard.hear("client", Said::Started(id.clone()));
            run.raise_event("Go", &()).await?;
            heard.hear("client", Said::Done(id.clone(), run.result().await?));
            Ok::<_, Error>(())
        };
        if let Err(error) = run.await {
            heard.hear("client", Said::Failed(format!("{id}: {error:?}")));
        }
        number += 3;
    }
}

#[expect(clippy::disallowed_methods, reason = "harm is done in real time")]
pub(crate) fn stopwatch() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "nothing is waited for: harm is done at any moment")]
pub(crate) fn pass(time: Duration) {
    std::thread::sleep(time);
}
