//! What opening a hub takes: its store, its threads, and what stops them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::Receiver;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::builder::Place;
use super::commit::committer::{Committer, Owned};
use super::commit::queue::Writes;
use super::error::{HubError, OpenError};
use super::guarded_store::GuardedStore;
use super::health::Health;
use super::mail::{Delivery, Mailboxes};
use super::partition::Partition;
use super::partition::cache::{Cache, Capacity};
use super::partition::due::{DueList, Limits as DueLimits};
use super::partition::outbox::Outbox;
use super::settings::Settings;
use super::telemetry::lifecycle::Lifecycle;
use super::telemetry::lines::{self, Kept};
use super::threads::{Readers, Threads};
use super::time::clock::Clock;
use super::time::timer::Timer;
use super::time::virtual_time::VirtualTime;
use super::time::wait::Patience;
use super::work::activities::Activities;
use super::work::batches::Batches;
use crate::protocol::{HubRecord, PartitionId};
use crate::registry::Registry;
use crate::store::{Durability, Store};

/// Into how many partitions a new hub divides its instances.
const PARTITIONS: u16 = 4;
/// What a builder is told that was given no store.
const NOWHERE: &str = if cfg!(feature = "sled") {
    "a task hub needs a store; use `TaskHub::builder().path(..)`, `.store(..)` or `.in_memory()`"
} else {
    "a task hub needs a store; use `TaskHub::builder().store(..)` or `.in_memory()`"
};

pub(crate) fn open_store(
    place: Place,
    durability: Option<Durability>,
) -> Result<(Arc<dyn Store>, Kept), OpenError> {
    match place {
        Place::Store(_) if durability.is_some() => Err(OpenError::Setting(
            "`durability` is for a hub in a folder, with `.path(..)`; tell the store that you give \
             with `.store(..)`, such as by `SledStore::options().durability(..)`"
                .to_owned(),
        )),
        Place::Store(store) => {
            let kept = Kept::in_store(&*store);
            Ok((Arc::new(GuardedStore::new(store)), kept))
        }
        #[cfg(feature = "sled")]
        Place::Path(path) => super::folder::open(path, durability.unwrap_or_default()),
        Place::Nowhere => Err(OpenError::Setting(NOWHERE.to_owned())),
    }
}

/// Creates the hub if there is none; gives the number of its partitions.
pub(crate) fn create(store: &dyn Store, wanted: Option<u16>) -> Result<u16, OpenError> {
    let partitions = wanted.unwrap_or(PARTITIONS);
    if partitions == 0 {
        return Err(OpenError::Setting("`partitions` must be at least 1".to_owned()));
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

/// What the threads of a hub share.
pub(crate) struct Parts {
    pub(crate) registry: Arc<Registry>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) mailboxes: Mailboxes,
    pub(crate) activities: Arc<Activities>,
    pub(crate) batches: Arc<Batches>,
    pub(crate) health: Arc<Health>,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) live: Capacity,
    pub(crate) settings: Settings,
    pub(crate) time: Option<Arc<VirtualTime>>,
    pub(crate) clock: Clock,
}

impl Parts {
    /// Claims all partitions and starts their threads and the committer's. The line of the
    /// opening is logged when nothing can fail any more, before they do anything.
    pub(crate) fn start(
        &self,
        mail: Vec<(PartitionId, Receiver<Delivery>)>,
        kept: &Kept,
    ) -> Result<(Threads, Arc<Readers>), OpenError> {
        let partitions = mail.len();
        let mut owned = BTreeMap::new();
        let mut claimed = Vec::new();
        for (id, mail) in mail {
            let epoch = self.store.claim(id)?;
            let found = self.store.load(id)?;
            let durable = Arc::new(AtomicU64::new(0));
            owned.insert(id, Owned { epoch, durable: Arc::clone(&durable) });
            claimed.push((id, mail, found, durable));
        }
        let committer = Arc::new(Committer {
            writes: Writes::default(),
            store: Arc::clone(&self.store),
            owned,
            activities: Arc::clone(&self.activities),
            mailboxes: self.mailboxes.clone(),
            health: Arc::clone(&self.health),
            lifecycle: Arc::clone(&self.lifecycle),
        });
        let threads = Threads::new(Arc::clone(&self.health));
        let readers = Readers::new(threads.clone());
        let start = || {
            for (id, mail, found, durable) in claimed {
                let make = self.partition(id, durable, Outbox::new(Arc::clone(&committer)));
                let opening = self.mailboxes.busy();
                let run = move || make().run(&mail, found, opening);
                threads.start(format!("durable-{id}"), run)?;
            }
            threads.start("durable-commit", move || committer.run())?;
            if let Timer::Thread(alarms) = &self.activities.timer {
                let alarms = Arc::clone(alarms);
                threads.start("durable-timer", move || alarms.run())?;
            }
            readers.start()
        };
        match start() {
            Ok(()) => {
                lines::opened(kept, partitions, &*self.store, &self.registry);
                threads.begin();
                Ok((threads, readers))
            }
            // None of them has done anything, and none stays.
            Err(refused) => {
                threads.give_up();
                Err(OpenError::Thread(refused))
            }
        }
    }

    /// How to make a partition on its own thread, since what it keeps alive never leaves that.
    fn partition(
        &self,
        id: PartitionId,
        durable: Arc<AtomicU64>,
        outbox: Outbox,
    ) -> impl FnOnce() -> Partition + Send + use<> {
        let registry = Arc::clone(&self.registry);
        let store = Arc::clone(&self.store);
        let health = Arc::clone(&self.health);
        let lifecycle = Arc::clone(&self.lifecycle);
        let mailboxes = self.mailboxes.clone();
        let (live, settings) = (self.live, self.settings.clone());
        let (batches, time) = (Arc::clone(&self.batches), self.time.clone());
        let clock = self.clock.clone();
        move || Partition {
            id,
            registry,
            store,
            outbox,
            mailboxes,
            health,
            lifecycle,
            settings,
            residents: Cache::new(live, Arc::clone(&durable)),
            entities: Cache::new(live, Arc::clone(&durable)),
            scheduled: Cache::new(live, Arc::clone(&durable)),
            touched: Vec::new(),
            batches,
            due: DueList::new(DueLimits::default(), durable),
            waiters: HashMap::default(),
            patience: Patience::default(),
            next_mail: None,
            clock,
            time,
            written: 0,
        }
    }
}

/// Says what stops when the hub has failed.
pub(crate) fn stop_by(
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

/// Fails the hub when the runtime ends before what this returns is dropped.
pub(crate) fn watch_runtime(runtime: &Handle, health: &Arc<Health>) -> oneshot::Sender<()> {
    let (hub, ended) = oneshot::channel();
    let mut watch = Watch(Some(Arc::clone(health)));
    runtime.spawn(async move {
        let watch = &mut watch;
        // The hub never sends anything.
        drop(ended.await);
        watch.0 = None;
    });
    hub
}

/// Says that the runtime has ended, unless the hub has before.
struct Watch(Option<Arc<Health>>);

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(health) = &self.0 {
            health.fail(HubError::RuntimeEnded);
        }
    }
}
