//! Opening a hub: checks, assembly, and what stops the hub on a failure.

use std::sync::{Arc, RwLock, Weak};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::admission::{Admission, REQUESTS};
use super::drive::Drive;
use super::error::HubError;
use super::guarded_store::GuardedStore;
use super::health::Health;
use super::mailboxes::Mailboxes;
use super::nodes::node::Nodes;
use super::open_error::{InvalidSetting, OpenError};
use super::partition::cache::Capacity;
use super::parts::{Claimed, Parts, Started};
use super::settings::{Options, Place, Settings};
use super::shutdown::Stopping;
use super::task_hub::{Inner, TaskHub};
use super::telemetry::lifecycle::lifecycle;
use super::telemetry::lines::Kept;
use super::telemetry::metrics;
use super::time::clock::Clock;
use super::time::timer::Timer;
use super::time::virtual_time::VirtualTime;
use super::verify;
use super::work::activities::{Activities, ActivityEnvironment, ActivitySettings};
use super::work::batches::Batches;
use crate::definition::StateType;
use crate::entity::BatchContext;
use crate::limits::Limits;
use crate::protocol::HubRecord;
use crate::registry::Registry;
use crate::store::{Durability, Node, Store, StoreTransactions};

/// The default activity concurrency per core.
const ACTIVITIES_PER_CORE: usize = 100;
/// The default grace period of a cancelled activity.
const GRACE: Duration = Duration::from_secs(30);
/// The default number of entities whose operations run at once.
const ENTITIES: usize = 1000;
/// The default capacity for instances in memory.
const LIVE: Capacity = Capacity { instances: 10_000, bytes: 256 << 20 };
/// The number of partitions in virtual time, where a hub has its store to itself.
const PARTITIONS_OF_TESTS: u16 = 4;

/// Opens a hub and continues all unfinished instances.
pub(crate) fn open(options: Options, drive: &Drive) -> Result<TaskHub, OpenError> {
    let (hub, ()) = open_with(options, drive, Parts::start)?;
    Ok(hub)
}

/// Opens a hub; `start` begins its work, for example on threads. The opening is logged once no
/// other step can fail.
pub(crate) fn open_with<T>(
    options: Options,
    drive: &Drive,
    start: impl FnOnce(&Parts, Claimed, &Kept) -> Started<T>,
) -> Result<(TaskHub, T), OpenError> {
    let registry = Arc::new(registry(&options)?);
    let concurrency = activity_concurrency(&options)?;
    let entity_concurrency = at_least_one("entity_concurrency", options.entity_concurrency)?;
    let (admission, live, node) = (admission(&options)?, live(&options), node(&options));
    let Options { place, durability, partitions, states, settings, time, .. } = options;
    let (store, kept) = open_store(place, durability)?;
    let transactions = transactions(&*store, &registry, time.is_some())?;
    let verifies = options.verify_on_open.then_some((&*registry, settings.limits));
    let count = first_reads(&*store, partitions, verifies, time.is_some())?;
    let Settings { limits, properties, .. } = settings.clone();
    let mailboxes = Mailboxes::new(count, time.clone(), admission);
    let (health, (events, lifecycle)) = (Arc::new(Health::default()), lifecycle());
    let around = BatchContext { states: states.clone(), limits, ..BatchContext::default() };
    let (boxes, at_once) = (mailboxes.clone(), entity_concurrency.unwrap_or(ENTITIES));
    let batches = Batches::new(around, boxes, drive.clone(), at_once, Arc::clone(&health));
    let (clock, grace) = (Clock::new(time.clone()), options.activity_grace.unwrap_or(GRACE));
    let activities = Arc::new(Activities::new(
        Arc::clone(&registry),
        ActivitySettings { states, concurrency, grace, limits, transactions },
        ActivityEnvironment {
            mailboxes: mailboxes.clone(),
            health: Arc::clone(&health),
            drive: drive.clone(),
            timer: timer(drive, time.as_ref()),
            time: time.clone(),
            clock: clock.clone(),
        },
    ));
    let nodes = nodes(&*store, time.is_some(), &mailboxes, drive);
    stop_by(&health, &activities, &batches, &mailboxes, nodes.as_ref());
    let parts = Parts {
        nodes: nodes.clone().map(|nodes| (nodes, node)),
        held: Arc::default(),
        registry: Arc::clone(&registry),
        store: Arc::clone(&store),
        mailboxes: mailboxes.clone(),
        activities: Arc::clone(&activities),
        batches: Arc::clone(&batches),
        health: Arc::clone(&health),
        lifecycle: events,
        live: live.share(usize::from(count)),
        settings,
        time: time.clone(),
        clock,
        commit_times: Arc::default(),
    };
    let (claimed, of_attempts) = parts.claim(count)?;
    let (threads, for_clients, started) = start(&parts, claimed, &kept)?;
    let inner = Inner {
        registry,
        store: RwLock::new(Some(store)),
        mailboxes,
        activities,
        batches,
        _runtime_watch: watch_runtime(drive, &health),
        health,
        kept,
        lifecycle,
        commit_times: parts.commit_times,
        limits,
        properties,
        // The clients of a simulation do not make time pass.
        time: time.filter(|_| !drive.is_simulated()),
        clock: parts.clock,
        threads,
        for_clients,
        notes: of_attempts,
        nodes,
        stopping: Stopping::default(),
    };
    Ok((TaskHub { inner: Arc::new(inner) }, started))
}

/// Creates the hub in the store unless it exists, and reads its instances. Returns the number of
/// partitions.
fn first_reads(
    store: &dyn Store,
    partitions: Option<u16>,
    verifies: Option<(&Registry, Limits)>,
    is_test: bool,
) -> Result<u16, OpenError> {
    let count = create(store, partitions, is_test)?;
    if let Some((registry, limits)) = verifies {
        verify::unfinished(store, registry, limits)?;
    }
    metrics::opened(store)?;
    Ok(count)
}

/// What the clients and threads of a node share, if other processes may open the hub, too. In virtual
/// time, a hub has its store to itself, unless a simulation runs all of its processes.
fn nodes(
    store: &dyn Store,
    is_test: bool,
    mailboxes: &Mailboxes,
    drive: &Drive,
) -> Option<Arc<Nodes>> {
    let is_shared = (!is_test || drive.is_simulated()) && store.cluster().is_some();
    is_shared.then(|| Nodes::new(mailboxes.clone(), drive.clone()))
}

/// How activities sleep.
fn timer(drive: &Drive, time: Option<&Arc<VirtualTime>>) -> Timer {
    match (drive, time) {
        (Drive::Runtime(runtime), _) => Timer::of(runtime),
        #[cfg(feature = "testing")]
        (Drive::Simulated, Some(time)) => Timer::Virtual(Arc::clone(time)),
        #[cfg(feature = "testing")]
        (Drive::Simulated, None) => unreachable!("a simulation has virtual time"),
    }
}

/// The capacity for instances in memory.
fn live(options: &Options) -> Capacity {
    Capacity {
        instances: options.live_instances.unwrap_or(LIVE.instances),
        bytes: options.live_bytes.unwrap_or(LIVE.bytes),
    }
}

/// What other processes know of this one.
fn node(options: &Options) -> Node {
    let default_name = || {
        let host = std::env::var("HOSTNAME").ok().filter(|host| !host.is_empty());
        let process = std::process::id();
        host.map_or_else(|| format!("process {process}"), |host| format!("{host}:{process}"))
    };
    let name = options.node_name.clone().unwrap_or_else(default_name);
    Node { is_client: options.is_client, ..Node::new(name) }
}

fn admission(options: &Options) -> Result<Admission, OpenError> {
    let wanted = at_least_one("waiting_requests", options.waiting_requests)?;
    Ok(Admission::new(wanted.unwrap_or(REQUESTS)))
}

fn registry(options: &Options) -> Result<Registry, OpenError> {
    let mut registry = if options.collect { Registry::collected()? } else { Registry::built_in()? };
    options.registered.iter().try_for_each(|entry| registry.add(entry))?;
    registry.version_match = options.version_match;
    registry.interceptor.clone_from(&options.interceptor);
    let mut missing: Vec<_> = registry
        .wanted_states()
        .filter(|(_, state)| !options.states.contains((state.id)()))
        .map(|(entry, state)| format!("`{}` for {} `{}`", (state.name)(), entry.kind(), entry.name))
        .collect();
    missing.dedup();
    // In a test, the activity that lacks its state reports it, because not every test runs every
    // activity.
    let is_test = options.time.is_some();
    if missing.is_empty() || is_test { Ok(registry) } else { Err(OpenError::MissingState(missing)) }
}

/// What the store offers to transactional activities; it must match what they need. In a test, the
/// activity itself reports a mismatch.
fn transactions(
    store: &dyn Store,
    registry: &Registry,
    is_test: bool,
) -> Result<Option<StoreTransactions>, OpenError> {
    let offered = store.transactions();
    let is_offered = |state: &StateType| offered.as_ref().is_some_and(|it| it.are_of((state.id)()));
    let missing = registry.wanted_transactions().filter(|(_, state)| !is_offered(state));
    let missing = missing.map(|(entry, state)| format!("`{}` for {entry}", (state.name)()));
    let missing: Vec<_> = missing.collect();
    if missing.is_empty() || is_test {
        return Ok(offered);
    }
    Err(OpenError::MissingTransactions(missing))
}

fn activity_concurrency(options: &Options) -> Result<usize, OpenError> {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let wanted = at_least_one("activity_concurrency", options.activity_concurrency)?;
    Ok(wanted.unwrap_or_else(|| ACTIVITIES_PER_CORE * cores()))
}

fn at_least_one(
    option: &'static str,
    wanted: Option<usize>,
) -> Result<Option<usize>, InvalidSetting> {
    match wanted {
        Some(0) => Err(InvalidSetting::Zero { option }),
        wanted => Ok(wanted),
    }
}

fn open_store(
    place: Place,
    durability: Option<Durability>,
) -> Result<(Arc<dyn Store>, Kept), OpenError> {
    match place {
        Place::Store(_) if durability.is_some() => Err(InvalidSetting::DurabilityOfStore.into()),
        Place::Store(store) => {
            let kept = Kept::in_store(&*store);
            Ok((Arc::new(GuardedStore::new(store)), kept))
        }
        #[cfg(feature = "sled")]
        Place::Path(path) => super::folder::open(path, durability.unwrap_or_default()),
        Place::Nowhere => Err(InvalidSetting::NoStore.into()),
    }
}

/// Creates the hub if it does not exist; returns the number of its partitions.
fn create(store: &dyn Store, wanted: Option<u16>, is_test: bool) -> Result<u16, OpenError> {
    let default = || if is_test { PARTITIONS_OF_TESTS } else { store.default_partitions().max(1) };
    let partitions = wanted.unwrap_or_else(default);
    if partitions == 0 {
        return Err(InvalidSetting::Zero { option: "partitions" }.into());
    }
    let created_at = Clock::default().now();
    let hub = store.create(&HubRecord::new(partitions, created_at))?;
    match wanted {
        Some(wanted) if wanted != hub.partitions => {
            Err(OpenError::Partitions { found: hub.partitions, wanted })
        }
        _ => Ok(hub.partitions),
    }
}

/// Sets what stops when the hub has failed.
fn stop_by(
    health: &Health,
    activities: &Arc<Activities>,
    batches: &Arc<Batches>,
    mailboxes: &Mailboxes,
    nodes: Option<&Arc<Nodes>>,
) {
    let nodes = nodes.map(Arc::downgrade);
    let (activities, batches) = (Arc::downgrade(activities), Arc::downgrade(batches));
    let mailboxes = mailboxes.clone();
    health.stop_by(move || {
        if let Some(activities) = activities.upgrade() {
            activities.close();
        }
        if let Some(batches) = batches.upgrade() {
            batches.close();
        }
        if let Some(nodes) = nodes.as_ref().and_then(Weak::upgrade) {
            nodes.stop();
        }
        mailboxes.stop_all();
    });
}

/// Fails the hub if the runtime ends before the returned sender is dropped.
fn watch_runtime(drive: &Drive, health: &Arc<Health>) -> oneshot::Sender<()> {
    let (hub, ended) = oneshot::channel();
    let mut watch = Watch(Some(Arc::clone(health)));
    drive.spawn(async move {
        let watch = &mut watch;
        // The hub never sends a value: this ends when the sender is dropped.
        drop(ended.await);
        watch.0 = None;
    });
    hub
}

/// Reports that the runtime has ended, unless the hub has stopped before.
struct Watch(Option<Arc<Health>>);

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(health) = &self.0 {
            health.fail(HubError::RuntimeEnded);
        }
    }
}
