//! Back-pressure: many clients, and a store that is slow or full. The number of waiting requests is
//! bounded, abandoned requests are not carried out, and requests that end work are always accepted.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};

use durable::InstanceId;
use durable::client::{EntityError, ManageError, OpenError, StartError};
use durable::prelude::*;
use durable::protocol::{EventKind, PartitionId, RuntimeStatus};
use durable::schedule::{Schedule, ScheduleError};
use durable::store::{Commit, MemoryStore, Store, StoreError};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::delegate::delegate;

/// A gate that blocks threads, and reports when one has arrived.
#[derive(Debug)]
struct Gate {
    is_shut: Mutex<bool>,
    opened: Condvar,
    arrived: Semaphore,
}

impl Gate {
    const fn new(is_shut: bool) -> Self {
        let (opened, arrived) = (Condvar::new(), Semaphore::const_new(0));
        Self { is_shut: Mutex::new(is_shut), opened, arrived }
    }

    fn pass(&self) {
        let mut is_shut = self.is_shut.lock().unwrap();
        if *is_shut {
            self.arrived.add_permits(1);
        }
        while *is_shut {
            is_shut = self.opened.wait(is_shut).unwrap();
        }
    }

    fn shut(&self) {
        *self.is_shut.lock().unwrap() = true;
    }

    fn open(&self) {
        *self.is_shut.lock().unwrap() = false;
        self.opened.notify_all();
    }

    async fn thread_arrives(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }
}

/// A store whose commits wait at a gate, and whose disk can be made nearly full.
#[derive(Debug)]
struct Gated {
    inner: MemoryStore,
    gate: Gate,
    is_full: AtomicBool,
}

impl Gated {
    fn new() -> Arc<Self> {
        let (inner, gate) = (MemoryStore::default(), Gate::new(false));
        Arc::new(Self { inner, gate, is_full: AtomicBool::new(false) })
    }
}

impl Store for Gated {
    delegate! { (inner) create claim load messages instance due instances history }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        self.gate.pass();
        self.inner.commit(commit)
    }

    fn check_room(&self) -> Result<(), StoreError> {
        if self.is_full.load(Ordering::SeqCst) {
            let path = "/disk".into();
            return Err(StoreError::DiskFull { path, available: 1, needed: 2 });
        }
        Ok(())
    }
}

/// Returns the numbers of its events up to the first 0.
#[orchestrator]
async fn collects(ctx: &OrchestrationContext) -> Result<Vec<u32>> {
    let mut all = Vec::new();
    loop {
        match ctx.wait_for_external_event("n").await? {
            0 => return Ok(all),
            n => all.push(n),
        }
    }
}

#[orchestrator]
async fn fails(ctx: &OrchestrationContext) -> Result<()> {
    Err(Error::msg("as it should"))
}

#[derive(Default, Serialize, Deserialize)]
struct Clicks(u32);

#[entity]
impl Clicks {
    fn count(&mut self) -> u32 {
        self.0 += 1;
        self.0
    }
}

/// The gate at which orchestrators block the thread of their partition.
static GATES: [Gate; 3] = [const { Gate::new(true) }; 3];

fn stop_at(gate: usize) {
    GATES[gate].pass();
}

#[orchestrator]
async fn stops_its_partition(ctx: &OrchestrationContext, gate: usize) -> Result<()> {
    stop_at(gate);
    Ok(())
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Sends a request, and drops it before it is answered.
fn abandon<T>(request: impl Future<Output = T>) {
    assert!(poll_once(pin!(request)).is_none(), "it is answered already");
}

async fn open(store: &Arc<Gated>, waiting: usize) -> Result<TaskHub, OpenError> {
    let store: Arc<dyn Store> = Arc::<Gated>::clone(store);
    TaskHub::builder().partitions(1).waiting_requests(waiting).store(store).open().await
}

#[tokio::test]
async fn abandoned_requests_of_clients_are_not_carried_out() -> Result<()> {
    let hub = open(&Gated::new(), 100).await?;
    let run = hub.start(collects().instance_id("run")).await?;
    let ended = hub.start(collects().instance_id("ended")).await?;
    ended.terminate("").await?;
    let blocker = tokio::spawn(hub.start(stops_its_partition(0)));
    GATES[0].thread_arrives().await;

    abandon(run.raise_event("n", &1));
    abandon(run.suspend(""));
    abandon(run.terminate(""));
    abandon(ended.purge());
    abandon(ended.restart());
    abandon(hub.start(collects().instance_id("other")));
    abandon(hub.signal_entity(Clicks::at("all").count()));
    abandon(hub.call_entity(Clicks::at("all").count()));
    abandon(run.wait_for_completion());
    let mut kept = Box::pin(run.raise_event("n", &2));
    assert!(poll_once(kept.as_mut()).is_none());

    GATES[0].open();
    kept.await?;
    blocker.await.unwrap()?;
    assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Running);
    assert_eq!(ended.status().await?.runtime_status, RuntimeStatus::Terminated);
    assert!(hub.find_instance::<collects>("other").await?.is_none());
    assert_eq!(hub.call_entity(Clicks::at("all").count()).await?, 1);
    run.raise_event("n", &0).await?;
    assert_eq!(run.result().await?, [2]);
    Ok(hub.shutdown().await?)
}

#[tokio::test]
async fn back_pressure_delays_clients_and_serves_each_once() -> Result<()> {
    let hub = open(&Gated::new(), 8).await?;
    let run = hub.start(collects()).await?;
    let blocker = tokio::spawn(hub.start(stops_its_partition(1)));
    GATES[1].thread_arrives().await;

    let raise = |n: u32| {
        let run = run.clone();
        Box::pin(async move { run.raise_event("n", &n).await })
    };
    let mut clients: Vec<_> = (1..=1000).map(|n| (n, raise(n))).collect();
    for (_, client) in &mut clients {
        assert!(poll_once(client.as_mut()).is_none());
    }
    // Half of the eight requests whose mail is sent, and half of those that wait.
    clients.retain(|(n, _)| n % 2 == 0);
    GATES[1].open();
    for (_, client) in clients {
        client.await?;
    }
    blocker.await.unwrap()?;
    run.raise_event("n", &0).await?;
    assert_eq!(run.result().await?, (2..=1000).step_by(2).collect::<Vec<_>>());
    Ok(hub.shutdown().await?)
}

#[tokio::test]
async fn requests_acknowledged_during_a_slow_commit_take_effect_once() -> Result<()> {
    let store = Gated::new();
    let hub = open(&store, 4).await?;
    let run = hub.start(collects()).await?;
    let other = hub.start(collects()).await?;
    store.gate.shut();
    let mut clients = Vec::new();
    for n in 1..=1000_u32 {
        let run = run.clone();
        let raise = async move { run.raise_event("n", &n).await };
        clients.push((n, tokio::spawn(raise)));
    }
    store.gate.thread_arrives().await;
    for (n, client) in &clients {
        if n % 3 == 0 {
            client.abort();
        }
    }
    let terminated = tokio::spawn(async move {
        other.terminate("it is in the way").await?;
        Ok::<_, ManageError>(other)
    });
    store.gate.open();
    let mut acknowledged = Vec::new();
    for (n, client) in clients {
        match client.await {
            Ok(raised) => {
                raised?;
                acknowledged.push(n);
            }
            Err(aborted) => assert!(aborted.is_cancelled()),
        }
    }
    let other = terminated.await.unwrap()?;
    assert_eq!(other.status().await?.runtime_status, RuntimeStatus::Terminated);
    assert!(acknowledged.len() >= 667);
    run.raise_event("n", &0).await?;
    let mut told = run.result().await?;
    told.sort_unstable();
    assert!(told.is_sorted_by(|a, b| a < b), "something was carried out twice");
    // A request without a client may have been served; an acknowledged one always has.
    assert!(acknowledged.iter().all(|n| told.contains(n)));
    Ok(hub.shutdown().await?)
}

#[tokio::test]
async fn a_shutdown_answers_clients_under_back_pressure() -> Result<()> {
    let store = Gated::new();
    let hub = open(&store, 1).await?;
    let run = hub.start(collects()).await?;
    store.gate.shut();
    let mut clients = Vec::new();
    for n in 1..=50_u32 {
        let run = run.clone();
        clients.push(tokio::spawn(async move { run.raise_event("n", &n).await }));
    }
    store.gate.thread_arrives().await;
    let mut shutdown = pin!(hub.shutdown());
    assert!(poll_once(shutdown.as_mut()).is_none());
    store.gate.open();
    shutdown.await?;
    for client in clients {
        let _served_or_told = client.await.unwrap();
    }
    let refused = run.raise_event("n", &1).await.unwrap_err();
    assert!(matches!(refused, ManageError::Hub(durable::client::HubError::ShutDown)), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_full_disk_rejects_requests_that_add_work() -> Result<()> {
    let store = Gated::new();
    let hub = open(&store, 100).await?;
    let run = hub.start(collects()).await?;
    let failed = hub.start(fails()).await?;
    failed.wait_for_completion().await?;
    let asleep = hub.start(collects()).await?;
    asleep.suspend("for a while").await?;
    let schedule = Schedule::cron("0 3 * * *")?.of(collects());
    let nightly = hub.create_schedule("nightly", schedule.clone()).await?;
    store.is_full.store(true, Ordering::SeqCst);

    let is_start = |error: &StartError| matches!(error, StartError::NoRoom(_));
    assert!(is_start(&hub.start(collects()).await.unwrap_err()));
    for restarted in
        [failed.restart().await, failed.restart_as(InstanceId::generate()).await.map(drop)]
    {
        let ManageError::Start(error) = restarted.unwrap_err() else { panic!("it is a start") };
        assert!(is_start(&error), "{error}");
    }
    for refused in [
        run.raise_event("n", &1).await,
        run.raise_event_if_running("n", &1).await.map(drop),
        failed.rewind("").await,
        asleep.resume("").await,
    ] {
        let error = refused.unwrap_err();
        assert!(matches!(error, ManageError::NoRoom(StoreError::DiskFull { .. })), "{error}");
    }
    let signalled = hub.signal_entity(Clicks::at("all").count()).await.unwrap_err();
    assert!(matches!(signalled, EntityError::NoRoom(_)), "{signalled}");
    let called = hub.call_entity(Clicks::at("all").count()).await.unwrap_err();
    assert!(matches!(called, EntityError::NoRoom(_)), "{called}");
    let created = hub.create_schedule("hourly", schedule.clone()).await.unwrap_err();
    assert!(matches!(created, ScheduleError::Start(_)), "{created}");
    for told in [nightly.resume().await, nightly.update(schedule).await] {
        let ScheduleError::Manage(error) = told.unwrap_err() else { panic!("it is an event") };
        assert!(matches!(*error, ManageError::NoRoom(_)), "{error}");
    }

    store.is_full.store(false, Ordering::SeqCst);
    run.raise_event("n", &2).await?;
    run.raise_event("n", &0).await?;
    assert_eq!(run.result().await?, [2]);
    Ok(hub.shutdown().await?)
}

#[tokio::test]
async fn a_full_disk_accepts_requests_that_end_work() -> Result<()> {
    let store = Gated::new();
    let hub = open(&store, 100).await?;
    let [first, second] = [hub.start(collects()).await?, hub.start(collects()).await?];
    hub.call_entity(Clicks::at("all").count()).await?;
    let later = std::time::Duration::from_hours(1);
    hub.signal_entity_at(later, Clicks::at("all").count()).await?;
    let signals = hub.query(&durable::client::ScheduledSignalQuery::new()).await?;
    let schedule = Schedule::cron("0 3 * * *")?.of(collects());
    let nightly = hub.create_schedule("nightly", schedule).await?;
    store.is_full.store(true, Ordering::SeqCst);

    first.suspend("to save room").await?;
    first.terminate("").await?;
    first.purge().await?;
    second.terminate_recursively("").await?;
    second.purge_recursively().await?;
    hub.delete_entity(Clicks::at("all")).await?;
    assert!(hub.entity_state::<Clicks>("all").await?.is_none());
    assert!(hub.cancel_scheduled_signal(&signals.items[0].id).await?);
    nightly.pause().await?;
    nightly.delete().await?;
    Ok(hub.shutdown().await?)
}

/// An id in this one of two partitions.
fn id_in(partition: u16, name: &str) -> String {
    let is_there = |id: &String| {
        let id = InstanceId::new(id).expect("it is a valid id");
        PartitionId::of(&id, 2) == PartitionId(partition)
    };
    (0..1000).map(|number| format!("{name}-{number}")).find(is_there).expect("some id is there")
}

#[tokio::test]
async fn resume_and_rewind_of_one_instance_do_not_delay_another_while_commits_are_slow()
-> Result<()> {
    let store = Gated::new();
    let shared: Arc<dyn Store> = Arc::<Gated>::clone(&store);
    let hub = TaskHub::builder().partitions(2).store(shared).open().await?;
    let asleep = hub.start(collects().instance_id(id_in(0, "asleep"))).await?;
    store.gate.shut();
    // The thread of the other partition is in a commit, so no other thread commits.
    let committing = tokio::spawn(hub.start(collects().instance_id(id_in(1, "committing"))));
    store.gate.thread_arrives().await;

    // None of this is durable yet, so a resume or a rewind has no history to start from.
    let mut suspended = pin!(asleep.suspend("for a while"));
    let mut resumed = pin!(asleep.resume("at once"));
    let mut raised = pin!(asleep.raise_event("n", &0));
    let failed = hub.instance(id_in(0, "failed"))?;
    let mut started = pin!(hub.start(fails().instance_id(id_in(0, "failed"))));
    let mut rewound = pin!(failed.rewind("to try again"));
    let mut other = pin!(hub.start(stops_its_partition(2).instance_id(id_in(0, "other"))));
    assert!(poll_once(suspended.as_mut()).is_none());
    assert!(poll_once(resumed.as_mut()).is_none());
    assert!(poll_once(raised.as_mut()).is_none());
    assert!(poll_once(started.as_mut()).is_none());
    assert!(poll_once(rewound.as_mut()).is_none());
    assert!(poll_once(other.as_mut()).is_none());
    // The episode of the other instance runs, although no commit has ended.
    GATES[2].thread_arrives().await;
    assert!(poll_once(resumed.as_mut()).is_none(), "it is not durable");

    GATES[2].open();
    store.gate.open();
    suspended.await?;
    resumed.await?;
    raised.await?;
    started.await?;
    rewound.await?;
    other.await?.result().await?;
    assert_eq!(asleep.result().await?, [0; 0], "the event came behind the resume");
    let kinds = failed.history().await?;
    let is_rewind = |kind: &EventKind| matches!(kind, EventKind::ExecutionRewound { .. });
    assert!(kinds.iter().any(|event| is_rewind(&event.kind)));
    committing.await??;
    Ok(hub.shutdown().await?)
}
