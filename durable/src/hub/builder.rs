//! Everything that can be chosen when a task hub is opened.

#[cfg(feature = "sled")]
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::error::OpenError;
use super::opening;
use super::settings::{Options, Place, Retention};
use super::task_hub::TaskHub;
use super::telemetry::metrics;
use crate::definition::Definition;
use crate::entity::Entity;
use crate::panics;
use crate::registry::VersionMatch;
#[cfg(feature = "sled")]
use crate::store::Durability;
use crate::store::{MemoryStore, Store};

impl TaskHub {
    /// Opens the hub in the folder `path`, creating it if need be: every function annotated in this
    /// program is registered, and whatever had not finished goes on.
    ///
    /// It takes the feature `sled`, which is on by default. Without it, open a hub with
    /// `TaskHub::builder().store(..)`.
    ///
    /// # Errors
    /// As [`TaskHubBuilder::open`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[cfg(feature = "sled")]
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::builder().path(path).open().await
    }

    /// Says more about how to open a hub.
    pub fn builder() -> TaskHubBuilder {
        TaskHubBuilder::new()
    }
}

/// Says how a task hub is to be opened.
///
/// ```standalone_crate
/// # use durable::prelude::*;
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path();
/// let hub = TaskHub::builder().path(path).activity_concurrency(8).open().await?;
/// # hub.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until it is opened"]
#[derive(Clone, Debug)]
pub struct TaskHubBuilder {
    pub(super) options: Options,
}

impl TaskHubBuilder {
    pub(crate) fn new() -> Self {
        Self { options: Options::default() }
    }

    /// Keeps the hub in this folder, which is created if need be.
    #[cfg(feature = "sled")]
    pub fn path(mut self, path: impl AsRef<Path>) -> Self {
        self.options.place = Place::Path(path.as_ref().to_owned());
        self
    }

    /// Keeps the hub in this store. Give an [`Arc`] of a store to use it again after the hub is shut
    /// down.
    ///
    /// ```standalone_crate
    /// # use durable::prelude::*;
    /// use std::sync::Arc;
    ///
    /// use durable::store::MemoryStore;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let store = Arc::new(MemoryStore::default());
    /// let hub = TaskHub::builder().store(Arc::clone(&store)).open().await?;
    /// hub.shutdown().await?;
    /// let hub = TaskHub::builder().store(store).open().await?;
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn store(mut self, store: impl Store) -> Self {
        self.options.place = Place::Store(Arc::new(store));
        self
    }

    /// Keeps the hub in this store, unless it was told where already.
    #[cfg(feature = "testing")]
    pub(crate) fn store_if_nowhere(self, store: impl FnOnce() -> Arc<dyn Store>) -> Self {
        if matches!(self.options.place, Place::Nowhere) { self.store(store()) } else { self }
    }

    /// Keeps the hub in memory, where it ends with the process: for tests.
    pub fn in_memory(self) -> Self {
        self.store(MemoryStore::default())
    }

    /// Says when what happens counts as written, for a hub in a folder; by default when it would
    /// survive a power cut. [`Durability::Within`] says what a crash may lose otherwise.
    ///
    /// ```standalone_crate
    /// # use durable::prelude::*;
    /// use std::time::Duration;
    ///
    /// use durable::store::Durability;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path();
    /// let within = Durability::Within(Duration::from_millis(50));
    /// let hub = TaskHub::builder().path(path).durability(within).open().await?;
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "sled")]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.options.durability = Some(durability);
        self
    }

    /// Runs at most this many activities at once; by default 100 for each core.
    pub fn activity_concurrency(mut self, max: usize) -> Self {
        self.options.activity_concurrency = Some(max);
        self
    }

    /// How long an activity may go on when nobody waits for it any more, because its call's time was up
    /// or it was cancelled; by default 30 seconds. It sees that by its
    /// [cancellation token](crate::ActivityContext::cancellation_token).
    ///
    /// Afterwards it takes no place of
    /// [`activity_concurrency`](Self::activity_concurrency) any more: an async body is dropped at its
    /// next `.await`, and a blocking one, which cannot be stopped, is counted no more. It keeps its
    /// thread of the runtime until it returns. A shutdown is no cancellation in this sense: it
    /// [waits](TaskHub::shutdown) for what is running.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use durable::prelude::*;
    /// let hub = TaskHub::builder().path("./hub").activity_grace(Duration::from_secs(5));
    /// ```
    pub fn activity_grace(mut self, grace: Duration) -> Self {
        self.options.activity_grace = Some(grace);
        self
    }

    /// Runs operations of at most this many entities at once; by default 1,000.
    pub fn entity_concurrency(mut self, max: usize) -> Self {
        self.options.entity_concurrency = Some(max);
        self
    }

    /// Keeps at most this many instances alive between their episodes; by default 10,000. Others
    /// are replayed from their history when something happens to them. As many entities are kept in
    /// memory between their batches.
    pub fn live_instances(mut self, max: usize) -> Self {
        self.options.live_instances = Some(max);
        self
    }

    /// Keeps instances alive between their episodes only as long as all of them together take about
    /// this many bytes of memory; by default 256 MiB. Those that were not used for longest make
    /// room, and are replayed from their history when something happens to them.
    ///
    /// Entities have as much for themselves.
    ///
    /// It is an estimate: of the orchestrator's future, of what it has asked for, and of all inputs,
    /// results and events that it was given, as if it kept them. Each partition has its equal share,
    /// and an instance that alone takes more is replayed at each of its episodes.
    pub fn live_bytes(mut self, max: usize) -> Self {
        self.options.live_bytes = Some(max);
        self
    }

    /// Lets at most this many requests of clients (starts, events, signals, calls ...) wait for their
    /// partitions; by default 16,384. A request counts once for each 16 KiB that it carries, and at
    /// least once: so by default all of them together carry at most 256 MiB.
    ///
    /// A client that asks for more waits, without a thread, until others have been taken in. See
    /// [back-pressure](crate::TaskHub#back-pressure).
    ///
    /// ```
    /// # use durable::prelude::*;
    /// let hub = TaskHub::builder().path("./hub").waiting_requests(1_000);
    /// ```
    pub fn waiting_requests(mut self, max: usize) -> Self {
        self.options.waiting_requests = Some(max);
        self
    }

    /// Divides a new hub into this many partitions, each with a thread of its own; by default 4.
    /// The number is fixed when the hub is created.
    pub fn partitions(mut self, count: u16) -> Self {
        self.options.partitions = Some(count);
        self
    }

    /// Says with which version of the code instances go on whose own version is not registered; by
    /// default with none: they wait for it.
    pub fn version_match(mut self, strategy: VersionMatch) -> Self {
        self.options.version_match = strategy;
        self
    }

    /// Replays every episode from scratch before it is written, and compares: requests, inputs and
    /// results must be the same to the letter.
    ///
    /// It finds what the compiler cannot see, such as a clock in a helper or the order of a
    /// `HashMap`, the first time that it runs (DURABLE0104). For tests: the cost of a step grows with
    /// the history.
    pub fn verify_replay(mut self, verify: bool) -> Self {
        self.options.settings.verify = verify;
        self
    }

    /// Removes finished instances after a time; by default they are kept for ever.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.options.settings.retention = retention;
        self
    }

    /// A setting for orchestrators, which they find with
    /// [`OrchestrationContext::property`](crate::OrchestrationContext::property). It is recorded when
    /// an execution begins, so an instance sees it change when it continues as new, and never before.
    pub fn property(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.options.settings.properties).insert(key.into(), value.into());
        self
    }

    /// How many bytes an input, a result or an event may have, as JSON; by default 16 MiB. What is
    /// larger is an error where it is made; a larger failure is [cut](crate::protocol::FailureDetails#size).
    ///
    /// What one episode of an execution hands over has at most 1 GiB, whatever this says.
    ///
    /// This and the other limits are recorded when an execution begins, as a
    /// [property](Self::property) is: a hub that is opened with others changes nothing of executions
    /// that are under way. One that is [rewound](crate::InstanceHandle::rewind) has the wider ones.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.options.settings.limits.payload = bytes;
        self
    }

    /// How many bytes a custom status may have, as JSON; by default 16 KiB.
    pub fn max_custom_status(mut self, bytes: usize) -> Self {
        self.options.settings.limits.custom_status = bytes;
        self
    }

    /// How many things (activities, timers, sub-orchestrations, events sent) one execution may ask
    /// for, and how many signals and starts one operation of an entity may send; by default
    /// 1,000,000. One that asks for more fails.
    pub fn max_actions(mut self, actions: u32) -> Self {
        self.options.settings.limits.actions = actions;
        self
    }

    /// How many external events that nobody waits for an execution keeps; by default 1,000,000. One
    /// that gets more fails.
    pub fn max_unread_events(mut self, events: usize) -> Self {
        self.options.settings.limits.unread_events = events;
        self
    }

    /// Before anything runs, replays every unfinished instance against the code of this program. If
    /// there are some that would not go on, opening fails with
    /// [`OpenError::WouldNotGoOn`](crate::client::OpenError::WouldNotGoOn), which lists them, and nothing is
    /// changed: for the start of a new release.
    pub fn verify_on_open(mut self, verify: bool) -> Self {
        self.options.verify_on_open = verify;
        self
    }

    /// Gives activities something to share: they take it as a parameter `State<T>`.
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.options.states.insert(value);
        self
    }

    /// Registers a function by hand, for what registration by annotation does not reach.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[activity]
    /// # async fn charge(cents: u32) -> u32 { cents }
    /// # #[orchestrator]
    /// # async fn order(ctx: &OrchestrationContext) -> Result<u32> { Ok(charge(5).await?) }
    /// let hub = TaskHub::builder().only_registered().register::<order>().register::<charge>();
    /// ```
    pub fn register<F: Definition>(mut self) -> Self {
        self.options.registered.push(F::ENTRY);
        self
    }

    /// Registers an entity by hand.
    pub fn register_entity<E: Entity>(mut self) -> Self {
        self.options.registered.push(E::ENTRY);
        self
    }

    /// Leaves out what is registered by annotation: the hub runs only what
    /// [`register`](Self::register) names.
    pub fn only_registered(mut self) -> Self {
        self.options.collect = false;
        self
    }

    /// Opens the hub and goes on with all that it holds.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if another process has the folder, [`OpenError::Registry`] if two
    /// functions have one name, [`OpenError::MissingState`] if an activity wants shared state that
    /// is not there, [`OpenError::Store`] if the store cannot be read.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn open(self) -> Result<TaskHub, OpenError> {
        let runtime = Handle::current();
        let (reply, opened) = oneshot::channel();
        let open = move || {
            panics::note_places();
            metrics::describe();
            let opened = panics::catch(|| opening::open(self.options, &runtime));
            panics::shield(|| drop(reply.send(opened)));
        };
        let thread = thread::Builder::new().name("durable-open".to_owned()).spawn(open);
        thread.map_err(OpenError::Thread)?;
        match opened.await {
            Ok(Ok(opened)) => opened,
            Ok(Err(panic)) => Err(OpenError::Setting(format!("opening {panic}"))),
            Err(_gone) => Err(OpenError::Setting("opening was cut off".to_owned())),
        }
    }
}
