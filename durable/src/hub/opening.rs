//! Opening a hub: checks, assembly, and what stops the hub on a failure.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, RwLock};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::admission::{Admission, REQUESTS};
use super::commit::committer::{Committer, Owned};
use super::commit::waiting::Writes;
use super::drive::Drive;
use super::error::{HubError, InvalidSetting, OpenError};
use super::guarded_store::GuardedStore;
use super::health::Health;
use super::mail::{Delivery, Mailboxes};
use super::partition::Partition;
use super::partition::cache::Capacity;
use super::partition::core::Environment;
use super::partition::outbox::{Outbox, Outlet};
use super::partition::reader::Reader;
use super::partition::thread::{Driver, ThreadOutlet, run_partition};
use super::recovery::held::HeldBack;
use super::recovery::note::{self, Begun};
use super::recovery::probation::Probation;
use super::settings::{Options, Place, Settings};
use super::shutdown::Stopping;
use super::task_hub::{Inner, TaskHub};
use super::telemetry::lifecycle::{Lifecycle, lifecycle};
use super::telemetry::lines::{self, Kept};
use super::telemetry::metrics;
use super::threads::{Readers, Threads};
use super::time::clock::Clock;
use super::time::timer::Timer;
use super::time::virtual_time::VirtualTime;
use super::verify;
use super::work::activities::{Activities, ActivityEnvironment, ActivitySettings};
use super::work::batches::Batches;
use crate::entity::BatchContext;
use crate::protocol::{HubRecord, PartitionId};
use crate::registry::Registry;
use crate::store::{Durability, PartitionState, Store, chain};

/// The default activity concurrency per core.
const ACTIVITIES_PER_CORE: usize = 100;
/// The default grace period of a cancelled activity.
const GRACE: Duration = Duration::from_secs(30);
/// The default number of entities whose operations run at once.
const ENTITIES: usize = 1000;
/// The default capacity for instances in memory.
const LIVE: Capacity = Capacity { instances: 10_000, bytes: 256 << 20 };
/// The default number of partitions.
const PARTITIONS: u16 = 4;

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
    let (admission, live) = (admission(&options)?, live(&options));
    let Options { place, durability, partitions, states, settings, time, .. } = options;
    let (store, kept) = open_store(place, durability)?;
    let count = create(&*store, partitions)?;
    if options.verify_on_open {
        verify::unfinished(&*store, &registry, settings.limits)?;
    }
    let Settings { limits, properties, .. } = settings.clone();
    metrics::opened(&*store)?;
    let (mailboxes, receivers) = Mailboxes::new(count, time.clone(), admission);
    let (health, (events, lifecycle)) = (Arc::new(Health::default()), lifecycle());
    let around = BatchContext { states: states.clone(), limits, ..BatchContext::default() };
    let (boxes, at_once) = (mailboxes.clone(), entity_concurrency.unwrap_or(ENTITIES));
    let batches = Batches::new(around, boxes, drive.clone(), at_once, Arc::clone(&health));
    let batches = Arc::new(batches);
    let (clock, grace) = (Clock::new(time.clone()), options.activity_grace.unwrap_or(GRACE));
    let activities = Arc::new(Activities::new(
        Arc::clone(&registry),
        ActivitySettings { states, concurrency, grace, limits },
        ActivityEnvironment {
            mailboxes: mailboxes.clone(),
            health: Arc::clone(&health),
            drive: drive.clone(),
            timer: timer(drive, time.as_ref()),
            time: time.clone(),
            clock: clock.clone(),
        },
    ));
    stop_by(&health, &activities, &batches, &mailboxes);
    let parts = Parts {
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
    };
    let claimed = parts.claim(receivers)?;
    let notes = claimed.recovery.as_ref().map(|begun| Arc::clone(&begun.notes));
    let (threads, readers, started) = start(&parts, claimed, &kept)?;
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
        limits,
        properties,
        // The clients of a simulation do not make time pass.
        time: time.filter(|_| !drive.is_simulated()),
        clock: parts.clock,
        threads,
        readers,
        notes,
        stopping: Stopping::default(),
    };
    Ok((TaskHub { inner: Arc::new(inner) }, started))
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

fn admission(options: &Options) -> Result<Admission, OpenError> {
    let wanted = at_least_one("waiting_requests", options.waiting_requests)?;
    Ok(Admission::new(wanted.unwrap_or(REQUESTS)))
}

fn registry(options: &Options) -> Result<Registry, OpenError> {
    let mut registry = if options.collect { Registry::collected()? } else { Registry::built_in()? };
    options.registered.iter().try_for_each(|entry| registry.add(*entry))?;
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
fn create(store: &dyn Store, wanted: Option<u16>) -> Result<u16, OpenError> {
    let partitions = wanted.unwrap_or(PARTITIONS);
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

/// The threads of a hub, its readers, and what else its start has made.
pub(crate) type Started<T> = Result<(Threads, Arc<Readers>, T), OpenError>;

/// The partitions of a hub, claimed but not running.
pub(crate) struct Claimed {
    pub(crate) committer: Arc<Committer>,
    pub(crate) partitions: Vec<ClaimedPartition>,
    /// What is held back; `None` in virtual time, where no process can end.
    recovery: Option<Begun>,
}

/// A partition: its mail, what is found in the store, and the number of its last durable write.
type ClaimedPartition = (PartitionId, Receiver<Delivery>, PartitionState, Arc<AtomicU64>);

/// The state that the threads of a hub share.
pub(crate) struct Parts {
    registry: Arc<Registry>,
    store: Arc<dyn Store>,
    mailboxes: Mailboxes,
    activities: Arc<Activities>,
    pub(crate) batches: Arc<Batches>,
    pub(crate) health: Arc<Health>,
    lifecycle: Arc<Lifecycle>,
    live: Capacity,
    settings: Settings,
    time: Option<Arc<VirtualTime>>,
    clock: Clock,
    held: Arc<HeldBack>,
}

impl Parts {
    /// Claims all partitions.
    fn claim(&self, mail: Vec<(PartitionId, Receiver<Delivery>)>) -> Result<Claimed, OpenError> {
        let mut owned = BTreeMap::new();
        let mut claimed = Vec::new();
        for (id, mail) in mail {
            let epoch = self.store.claim(id)?;
            let found = self.store.load(id)?;
            let durable = Arc::new(AtomicU64::new(0));
            owned.insert(id, Owned { epoch, durable: Arc::clone(&durable) });
            claimed.push((id, mail, found, durable));
        }
        let recovery = self.begin_recovery(&owned, &claimed);
        let committer = Arc::new(Committer {
            writes: Writes::new(self.settings.sizes.commit),
            store: Arc::clone(&self.store),
            owned,
            activities: Arc::clone(&self.activities),
            mailboxes: self.mailboxes.clone(),
            health: Arc::clone(&self.health),
            lifecycle: Arc::clone(&self.lifecycle),
        });
        Ok(Claimed { committer, partitions: claimed, recovery })
    }

    /// Decides what must not run. A store that fails here fails the hub at its next use.
    fn begin_recovery(
        &self,
        owned: &BTreeMap<PartitionId, Owned>,
        claimed: &[ClaimedPartition],
    ) -> Option<Begun> {
        if self.time.is_some() {
            return None;
        }
        let found = claimed.iter().filter_map(|(id, _, state, _)| {
            let epoch = owned.get(id)?.epoch;
            Some((*id, epoch, state))
        });
        let found: Vec<_> = found.collect();
        match note::begin(&*self.store, &found, self.clock.now(), &self.held) {
            Ok(begun) => {
                lines::recovering(begun.suspects.len());
                Some(begun)
            }
            Err(error) => {
                let error = chain(&error);
                tell!(
                    warn,
                    error,
                    "attempts of instances that may end the process are not counted"
                );
                None
            }
        }
    }

    /// Starts the threads of the partitions and the committer's. The opening is logged once no step
    /// can fail, before the threads begin their work.
    fn start(&self, claimed: Claimed, kept: &Kept) -> Started<()> {
        let Claimed { committer, partitions, recovery } = claimed;
        let count = partitions.len();
        let threads = Threads::new(Arc::clone(&self.health));
        let drive = self.activities.drive.clone();
        let readers = Readers::new(threads.clone(), drive);
        let start = || {
            for (id, mail, found, durable) in partitions {
                let outlet = ThreadOutlet::new(Arc::clone(&committer), Arc::clone(&self.batches));
                let make = self.partition(id, durable, outlet);
                let (clock, time) = (self.clock.clone(), self.time.clone());
                let driver = Driver { partition: id, clock, time };
                let opening = self.mailboxes.busy();
                let run = move || run_partition(make(), &driver, &mail, found, opening);
                threads.start(format!("durable-{id}"), run)?;
            }
            threads.start("durable-commit", move || committer.run())?;
            if let Timer::Thread(alarms) = &self.activities.timer {
                let alarms = Arc::clone(alarms);
                threads.start("durable-timer", move || alarms.run())?;
            }
            if let Some(probation) = recovery.and_then(|begun| self.probation(begun)) {
                threads.start("durable-recovery", move || probation.run())?;
            }
            readers.start()
        };
        match start() {
            Ok(()) => {
                lines::opened(kept, count, &*self.store, &self.registry);
                threads.begin();
                Ok((threads, readers, ()))
            }
            // No thread has begun its work, and all of them end.
            Err(refused) => {
                threads.give_up();
                Err(OpenError::Thread(refused))
            }
        }
    }

    /// What lets the instances run that are held back, if there are any.
    fn probation(&self, begun: Begun) -> Option<Probation> {
        let Begun { notes, suspects } = begun;
        (!suspects.is_empty()).then(|| Probation {
            store: Arc::clone(&self.store),
            notes,
            held: Arc::clone(&self.held),
            mailboxes: self.mailboxes.clone(),
            health: Arc::clone(&self.health),
            suspects: suspects.into(),
        })
    }

    /// Returns a constructor that builds the partition on its own thread, because its futures never
    /// leave that thread.
    pub(crate) fn partition<O: Outlet + 'static>(
        &self,
        id: PartitionId,
        durable: Arc<AtomicU64>,
        outlet: O,
    ) -> impl FnOnce() -> Partition + Send + use<O> {
        let env = Environment {
            partition: id,
            registry: Arc::clone(&self.registry),
            settings: self.settings.clone(),
            lifecycle: Arc::clone(&self.lifecycle),
            clock: self.clock.clone(),
            held: Arc::clone(&self.held),
        };
        let reader = Reader::new(id, Arc::clone(&self.store), Arc::clone(&self.health));
        let outbox =
            Outbox::new(id, Box::new(outlet), durable, &self.settings.sizes, self.time.clone());
        let live = self.live;
        move || Partition::new(env, reader, outbox, live)
    }
}

/// Sets what stops when the hub has failed.
fn stop_by(
    health: &Health,
    activities: &Arc<Activities>,
    batches: &Arc<Batches>,
    mailboxes: &Mailboxes,
) {
    let (activities, batches) = (Arc::downgrade(activities), Arc::downgrade(batches));
    let mailboxes = mailboxes.clone();
    health.stop_by(move || {
        if let Some(activities) = activities.upgrade() {
            activities.close();
        }
        if let Some(batches) = batches.upgrade() {
            batches.close();
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
