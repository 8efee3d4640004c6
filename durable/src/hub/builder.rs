//! The options with which a task hub is opened.

#[cfg(feature = "sled")]
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::drive::Drive;
use super::open_error::OpenError;
use super::opening;
use super::settings::{Options, Place, Retention};
use super::task_hub::TaskHub;
use super::telemetry::event::LifecycleEvent;
use super::telemetry::hooks::{Hook, LifecycleFilter};
use super::telemetry::metrics;
use crate::definition::{Definition, Entry, Orchestrator};
use crate::entity::Entity;
#[cfg(feature = "http")]
use crate::http::{HttpPolicy, HttpSend, TokenSource};
use crate::panics;
use crate::registry::VersionMatch;
#[cfg(feature = "sled")]
use crate::store::Durability;
use crate::store::{MemoryStore, Store};

impl TaskHub {
    /// Opens the hub in the folder `path`, which is created if it does not exist. Registers every
    /// annotated function of this program and continues all unfinished instances.
    ///
    /// Requires the feature `sled`, which is on by default. Without it, open a hub with
    /// `TaskHub::builder().store(..)`.
    ///
    /// ```
    /// # async fn run() -> durable::Result<()> {
    /// let hub = durable::TaskHub::open("./hub").await?;
    /// # Ok(hub.shutdown().await?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// The same as [`TaskHubBuilder::open`].
    ///
    /// # Panics
    /// If called outside a tokio runtime.
    #[cfg(feature = "sled")]
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::builder().path(path).open().await
    }

    /// Returns a builder, to open a hub with other settings.
    pub fn builder() -> TaskHubBuilder {
        TaskHubBuilder::new()
    }
}

/// Configures and opens a task hub.
///
/// ```
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

    /// Stores the hub in this folder, which is created if it does not exist.
    #[cfg(feature = "sled")]
    pub fn path(mut self, path: impl AsRef<Path>) -> Self {
        self.options.place = Place::Path(path.as_ref().to_owned());
        self
    }

    /// Uses this store. Pass an [`Arc`] to use the store again after the hub is shut down.
    ///
    /// ```
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

    /// Uses this store, unless a place was set before.
    #[cfg(feature = "testing")]
    pub(crate) fn store_if_nowhere(self, store: impl FnOnce() -> Arc<dyn Store>) -> Self {
        if matches!(self.options.place, Place::Nowhere) { self.store(store()) } else { self }
    }

    /// Stores the hub in memory only: for tests.
    pub fn in_memory(self) -> Self {
        self.store(MemoryStore::default())
    }

    /// Sets when a commit to a folder counts as durable; by default when it would survive a power
    /// failure. [`Durability::Within`] says what a crash may lose otherwise.
    ///
    /// ```
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

    /// Sets the maximum number of activities that run at once; by default 100 per core.
    pub fn activity_concurrency(mut self, max: usize) -> Self {
        self.options.activity_concurrency = Some(max);
        self
    }

    /// Sets how long an activity may keep running after its call timed out or was cancelled; by
    /// default 30 seconds. The activity is notified through its [cancellation
    /// token](crate::ActivityContext::cancellation_token).
    ///
    /// After that it no longer counts toward [`activity_concurrency`](Self::activity_concurrency).
    /// An async body is dropped at its next `.await`. A blocking body cannot be stopped and
    /// occupies its thread of the runtime until it returns. A shutdown does not cancel activities
    /// in this sense: it [waits](TaskHub::shutdown) for those that are running.
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

    /// Sets the maximum number of entities whose operations run at once; by default 1,000.
    pub fn entity_concurrency(mut self, max: usize) -> Self {
        self.options.entity_concurrency = Some(max);
        self
    }

    /// Sets the maximum number of instances that stay in memory between their episodes; by default
    /// 10,000. Other instances are replayed from their history at their next episode. The same
    /// number of entities may stay in memory, too.
    pub fn live_instances(mut self, max: usize) -> Self {
        self.options.live_instances = Some(max);
        self
    }

    /// Sets the approximate number of bytes that all instances in memory may take together; by
    /// default 256 MiB. Above it, the least recently used ones are evicted, and replayed from their
    /// history at their next episode.
    ///
    /// Entities have a budget of the same size.
    ///
    /// The size of an instance is an estimate: its future, its requests, and all inputs, results
    /// and events that it received, as if it kept them all. Each partition has an equal share. An
    /// instance that alone exceeds this share is replayed at every episode.
    pub fn live_bytes(mut self, max: usize) -> Self {
        self.options.live_bytes = Some(max);
        self
    }

    /// Sets the maximum number of client requests (starts, events, signals, calls ...) that wait
    /// for their partitions; by default 16,384. A request counts once per 16 KiB of payload, and at
    /// least once, so by default all waiting requests together carry at most 256 MiB.
    ///
    /// Above the maximum, clients wait (without blocking a thread) until partitions have accepted
    /// other requests. See [back-pressure](crate::TaskHub#back-pressure).
    ///
    /// ```
    /// # use durable::prelude::*;
    /// let hub = TaskHub::builder().path("./hub").waiting_requests(1_000);
    /// ```
    pub fn waiting_requests(mut self, max: usize) -> Self {
        self.options.waiting_requests = Some(max);
        self
    }

    /// Sets the number of partitions of a new hub, each with its own thread; by default the [number
    /// of the store](Store::default_partitions), which is 4 for a folder and 32 for PostgreSQL. It
    /// cannot be changed later.
    pub fn partitions(mut self, count: u16) -> Self {
        self.options.partitions = Some(count);
        self
    }

    /// Sets the name by which people recognize this process among those that share the hub; by
    /// default the host name, if it is known, and the process id. It only has an effect with a
    /// store that several processes share.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// let hub = TaskHub::builder().node_name("worker-1");
    /// ```
    pub fn node_name(mut self, name: impl Into<String>) -> Self {
        self.options.node_name = Some(name.into());
        self
    }

    /// Opens the hub as a client only: this process runs no orchestrations, activities or entities,
    /// and its requests are carried out by the other processes of the hub. It only has an effect
    /// with a store that several processes share.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// let hub = TaskHub::builder().client_only();
    /// ```
    pub fn client_only(mut self) -> Self {
        self.options.is_client = true;
        self
    }

    /// Sets which version of an orchestration continues an instance whose own version is not
    /// registered. By default none does: the instance is suspended until its version is registered.
    pub fn version_match(mut self, strategy: VersionMatch) -> Self {
        self.options.version_match = strategy;
        self
    }

    /// Replays every episode from scratch before it is committed, and compares requests, inputs and
    /// results byte for byte.
    ///
    /// This finds what the compiler cannot see, such as a clock in a helper function or the order
    /// of a `HashMap`, the first time it runs (DURABLE0104). Use it in tests: the cost of a step
    /// grows with the history.
    pub fn verify_replay(mut self, verify: bool) -> Self {
        self.options.settings.verify = verify;
        self
    }

    /// Purges finished instances after a time; by default they are kept forever.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.options.settings.retention = retention;
        self
    }

    /// Starts the orchestration `O` for each lifecycle event that the filter matches, with the event as its
    /// input. Can be called several times.
    ///
    /// The start is a part of the commit that contains the change, so a crash neither loses an event nor
    /// delivers it twice, unlike with [`TaskHub::lifecycle`]. Use it to tell other systems what
    /// happened, with retries.
    ///
    /// The started instances have the tag `durable.event` with the id of the instance that the event is
    /// about. They are purged when they complete. Their own lifecycle events start no
    /// orchestrations, but those of the instances that they start do.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use durable::client::{LifecycleEvent, LifecycleFilter, LifecycleKind};
    ///
    /// #[activity(retry(max_number_of_attempts = 10, first_retry_interval = "5s"))]
    /// async fn page_somebody(about: &str) -> Result<()> {
    ///     println!("{about}");
    ///     Ok(())
    /// }
    ///
    /// #[orchestrator]
    /// async fn alarm(ctx: &OrchestrationContext, event: LifecycleEvent) -> Result<()> {
    ///     let reason = event.reason.unwrap_or_default();
    ///     page_somebody(&format!("{} has failed: {reason}", event.instance_id)).await?;
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let failures = LifecycleFilter::new().kind(LifecycleKind::Failed);
    /// let hub = TaskHub::builder().in_memory().on_lifecycle::<alarm>(failures).open().await?;
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_lifecycle<O>(self, filter: LifecycleFilter) -> Self
    where
        O: Orchestrator<Input = LifecycleEvent>,
    {
        self.hook(&O::ENTRY, filter, None)
    }

    /// Like [`on_lifecycle`](Self::on_lifecycle), but also passes this label to the orchestration, as
    /// its second parameter, so that one orchestration can serve several destinations.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use durable::client::{LifecycleEvent, LifecycleFilter, LifecycleKind};
    ///
    /// #[activity]
    /// async fn tell(team: &str, about: &str) -> Result<()> {
    ///     println!("to {team}: {about}");
    ///     Ok(())
    /// }
    ///
    /// #[orchestrator]
    /// async fn notify(ctx: &OrchestrationContext, event: LifecycleEvent, team: String) -> Result<()> {
    ///     tell(&team, event.instance_id.as_str()).await?;
    ///     Ok(())
    /// }
    ///
    /// let failed = || LifecycleFilter::new().kind(LifecycleKind::Failed);
    /// let hub = TaskHub::builder()
    ///     .on_lifecycle_with::<notify>(failed().name("order"), "shop")
    ///     .on_lifecycle_with::<notify>(failed().name("parcel"), "stock");
    /// ```
    pub fn on_lifecycle_with<O>(self, filter: LifecycleFilter, label: impl Into<String>) -> Self
    where
        O: Orchestrator<Input = (LifecycleEvent, String)>,
    {
        self.hook(&O::ENTRY, filter, Some(label.into()))
    }

    fn hook(mut self, entry: &Entry, filter: LifecycleFilter, label: Option<String>) -> Self {
        let hooks = self.options.settings.hooks.get_or_insert_default();
        let (name, version) = (entry.name, entry.version);
        Arc::make_mut(hooks).hooks.push(Hook { name, version, label, filter });
        self
    }

    /// Sets a property that orchestrators read with
    /// [`OrchestrationContext::property`](crate::OrchestrationContext::property). It is recorded
    /// when an execution begins, so an instance sees a new value only after it has continued as
    /// new.
    pub fn property(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.options.settings.properties).insert(key.into(), value.into());
        self
    }

    /// Sets the maximum size of an input, result or event, in bytes of JSON; by default 16 MiB. A
    /// larger value causes an error where it is created. A larger failure is
    /// [cut](crate::protocol::FailureDetails#size).
    ///
    /// Independently of this, the total output of one episode is limited to 1 GiB.
    ///
    /// This limit and the others are recorded when an execution begins, like a
    /// [property](Self::property): opening the hub with other limits does not affect running
    /// executions. A [rewound](crate::InstanceHandle::rewind) execution gets the larger of its
    /// recorded limits and the current ones.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.options.settings.limits.payload = bytes;
        self
    }

    /// Sets the maximum size of a custom status, in bytes of JSON; by default 16 KiB.
    pub fn max_custom_status(mut self, bytes: usize) -> Self {
        self.options.settings.limits.custom_status = bytes;
        self
    }

    /// Sets the maximum number of requests (activities, timers, sub-orchestrations, events sent) of
    /// one execution, and of signals and starts of one entity operation; by default 1,000,000.
    /// Beyond it, the execution or operation fails.
    pub fn max_actions(mut self, actions: u32) -> Self {
        self.options.settings.limits.actions = actions;
        self
    }

    /// Sets the maximum number of unread external events that an execution buffers; by default
    /// 1,000,000. Beyond it, the execution fails.
    pub fn max_unread_events(mut self, events: usize) -> Self {
        self.options.settings.limits.unread_events = events;
        self
    }

    /// Replays every unfinished instance against this program's code before anything runs. If any
    /// instance does not fit, opening fails with
    /// [`OpenError::IncompatibleInstances`](crate::client::OpenError::IncompatibleInstances), which
    /// lists those instances, and nothing is changed. Use it when a new release starts.
    pub fn verify_on_open(mut self, verify: bool) -> Self {
        self.options.verify_on_open = verify;
        self
    }

    /// Shares a value with activities, which receive it as a parameter `State<T>`.
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.options.states.insert(value);
        self
    }

    /// Limits where [`ctx.call_http(..)`](crate::OrchestrationContext::call_http) may send requests.
    /// By default nothing is refused, except that a hub that is served over HTTP refuses internal
    /// addresses ([`HttpPolicy::deny_private`]).
    #[cfg(feature = "http")]
    pub fn http_policy(mut self, policy: HttpPolicy) -> Self {
        self.options.http.policy = Some(policy);
        self
    }

    /// Provides the tokens of the requests that name this
    /// [token source](crate::http::HttpRequest::token_source).
    #[cfg(feature = "http")]
    pub fn token_source(mut self, name: impl Into<String>, source: impl TokenSource) -> Self {
        self.options.http.add_token_source(name.into(), source);
        self
    }

    /// Sends the requests of [`ctx.call_http(..)`](crate::OrchestrationContext::call_http) with this
    /// client instead of the one of this crate.
    #[cfg(feature = "http")]
    pub fn http_sender(mut self, sender: impl HttpSend) -> Self {
        self.options.http.set_sender(sender);
        self
    }

    /// Registers a function that is not registered automatically.
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

    /// Registers an entity that is not registered automatically.
    pub fn register_entity<E: Entity>(mut self) -> Self {
        self.options.registered.push(E::ENTRY);
        self
    }

    /// Turns automatic registration off: the hub runs only the functions passed to
    /// [`register`](Self::register).
    pub fn only_registered(mut self) -> Self {
        self.options.collect = false;
        self
    }

    /// Opens the hub and continues all unfinished instances.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if another process has the folder open, [`OpenError::Registry`] if two
    /// functions have the same name, [`OpenError::MissingState`] if an activity takes shared state
    /// that was not set, [`OpenError::MissingTransactions`] if an activity takes transactions that the
    /// store does not have, [`OpenError::Store`] if the store cannot be read.
    ///
    /// # Panics
    /// If called outside a tokio runtime.
    pub async fn open(mut self) -> Result<TaskHub, OpenError> {
        self.options.settings.complete();
        let drive = Drive::Runtime(Handle::current());
        let (reply, opened) = oneshot::channel();
        let open = move || {
            panics::note_places();
            metrics::describe();
            let opened =
                panics::catch(|| opening::open(self.options.with_built_in_states(), &drive));
            panics::shield(|| drop(reply.send(opened)));
        };
        let thread = thread::Builder::new().name("durable-open".to_owned()).spawn(open);
        thread.map_err(OpenError::Thread)?;
        match opened.await {
            Ok(Ok(opened)) => opened,
            Ok(Err(panic)) => Err(OpenError::Panicked { panic: panic.to_string() }),
            Err(_gone) => Err(OpenError::Panicked { panic: "was cut off".to_owned() }),
        }
    }
}
