//! The task hub: the only place with threads, tasks and time.
//!
//! ```text
//! start, result --mail--> partition --episode--> committer --group--> store
//!                             ^                      |
//!                             +--mail-- activities <-+ what is durable
//! ```
//! A partition is one thread that owns its instances; the committer makes the episodes of all of them
//! durable, on a thread of its own or on that of a partition with nothing else to do; activities run
//! on the async runtime. Nothing polls: each waits on its channel (`time/wait.rs`).
//!
//! Read next: `partition/mod.rs`, then `commit/committer.rs`.

mod builder;
pub(crate) mod client;
mod commit;
mod error;
mod guarded_store;
mod health;
mod mail;
mod opening;
mod partition;
mod settings;
mod shutdown;
mod telemetry;
mod threads;
mod time;
mod verify;
mod work;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

#[cfg(feature = "testing")]
use tokio::runtime::Handle;
use tokio::sync::oneshot;

pub use self::builder::TaskHubBuilder;
pub use self::client::entities::{
    CleanedEntities, EntityDetails, EntityPage, EntityQuery, ScheduledSignal, ScheduledSignalPage,
    ScheduledSignalQuery,
};
pub use self::client::handle::OrchestrationHandle;
pub use self::client::instance::{InstanceDetails, InstanceHandle};
pub use self::client::progress::CustomStatusWatch;
pub use self::client::query::InstanceQuery;
pub use self::client::reply::Reply;
pub use self::error::{EntityError, HubError, ManageError, OpenError, ResultError, StartError};
pub use self::settings::Retention;
pub use self::shutdown::ShutdownReport;
pub use self::telemetry::lifecycle::{
    LifecycleError, LifecycleEvent, LifecycleEvents, LifecycleKind,
};
use self::telemetry::lines::Kept;
use self::time::clock::Clock;

use self::health::Health;
use self::mail::Mailboxes;
use self::shutdown::Stopping;
use self::telemetry::lifecycle::LifecycleSource;
use self::threads::{Readers, Threads};
use self::time::virtual_time::VirtualTime;
use self::work::activities::Activities;
use self::work::batches::Batches;
use crate::limits::Limits;
use crate::orchestration::Orchestrator;
use crate::protocol::{InstanceId, InvalidInstanceId, Tags};
use crate::registry::Registry;
use crate::store::{Store, StoreError};

/// One store with all that runs on it: where instances are started and asked after.
///
/// Cloning it is cheap and gives another handle of the same hub. When the last one is dropped
/// without [`shutdown`](Self::shutdown), the hub stops as in a crash: nothing recorded is lost.
///
/// # Back-pressure
/// A request to a hub is a future, and its answer comes when what was asked for is durable. Requests
/// that wait for their partition are bounded, in number and in bytes, by
/// [`waiting_requests`](TaskHubBuilder::waiting_requests); beyond that a client waits to send its own.
/// What activities, orchestrations and entities send is not held up.
///
/// A client whose future is dropped before it has answered, such as by a timeout, does not know whether
/// the request was carried out. If its partition had not yet taken it in, it was not, and never will be.
///
/// While the disk is nearly full, or commits wait for another resource, requests that have the hub
/// write more are refused at once with an error `NoRoom` ([`StartError::NoRoom`],
/// [`ManageError::NoRoom`], [`EntityError::NoRoom`]): starts and restarts, events, resume and rewind,
/// signals and calls of entities, creating, resuming and updating schedules. What ends work or frees
/// room goes on: suspend, terminate and purge, deleting an entity, cancelling a signal, releasing
/// orphaned locks, pausing and deleting a schedule. What runs already may use the rest of the disk.
///
/// ```standalone_crate
/// # use durable::prelude::*;
/// # #[activity]
/// # async fn say_hello(city: &str) -> Result<String> { Ok(format!("Hello {city}!")) }
/// #[orchestrator]
/// async fn greet(ctx: &OrchestrationContext, city: String) -> Result<String> {
///     Ok(say_hello(&city).await?)
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path();
/// let hub = TaskHub::open(path).await?;
/// let run = hub.start(greet("Tokyo".into())).await?;
/// assert_eq!(run.result().await?, "Hello Tokyo!");
/// hub.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TaskHub {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Arc<Registry>,
    /// None once the hub is shut down, so that handles that are still held keep nothing open.
    store: RwLock<Option<Arc<dyn Store>>>,
    mailboxes: Mailboxes,
    activities: Arc<Activities>,
    batches: Arc<Batches>,
    health: Arc<Health>,
    /// Where it is kept, for the log.
    kept: Kept,
    lifecycle: LifecycleSource,
    limits: Limits,
    /// What orchestrators of new instances are told.
    properties: Arc<Tags>,
    /// Where time is made, in a test.
    time: Option<Arc<VirtualTime>>,
    /// The time of this hub, which its partitions share.
    clock: Clock,
    threads: Threads,
    readers: Arc<Readers>,
    stopping: Stopping,
    #[cfg(feature = "testing")]
    runtime: Handle,
    /// Ends the task that watches the runtime.
    _runtime_watch: oneshot::Sender<()>,
}

impl TaskHub {
    /// Opens the hub in the folder `path`, creating it if need be: every function annotated in this
    /// program is registered, and whatever had not finished goes on.
    ///
    /// # Errors
    /// As [`TaskHubBuilder::open`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::builder().path(path).open().await
    }

    /// Says more about how to open a hub.
    pub fn builder() -> TaskHubBuilder {
        TaskHubBuilder::new()
    }

    /// The instance of this id, whatever its orchestration, and whether it exists or not.
    ///
    /// # Errors
    /// The id breaks a rule of [`InstanceId`].
    pub fn instance(&self, id: impl AsRef<str>) -> Result<InstanceHandle, InvalidInstanceId> {
        Ok(InstanceHandle { hub: self.clone(), instance_id: InstanceId::new(id)? })
    }

    /// The instance of this id, if there is one. Its version may be another than that of `O`: the name
    /// of the orchestration counts. If the versions return different types, reading the result of the
    /// other one fails with [`ResultError::Unreadable`].
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[orchestrator]
    /// # async fn nightly(ctx: &OrchestrationContext) -> Result<()> { Ok(()) }
    /// # async fn go_on(hub: TaskHub) -> Result<()> {
    /// // Start it, unless it was started before: by this process or the one before it.
    /// let run = match hub.get_instance::<nightly>("nightly-2026-01-04").await? {
    ///     Some(run) => run,
    ///     None => hub.start(nightly().instance_id("nightly-2026-01-04")).await?,
    /// };
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`HubError::OtherOrchestration`] if it is not an instance of `O`; or the hub was shut down,
    /// or its store failed.
    pub fn get_instance<O: Orchestrator>(
        &self,
        instance_id: impl AsRef<str>,
    ) -> Reply<Result<Option<OrchestrationHandle<O>>, HubError>> {
        let (hub, instance_id) = (self.clone(), InstanceId::new(instance_id));
        Reply::new(async move {
            let Ok(instance_id) = instance_id else { return Ok(None) };
            let id = instance_id.clone();
            match hub.read(move |store| store.instance(&id)).await? {
                None => Ok(None),
                Some(record) if record.name == O::ENTRY.name => {
                    Ok(Some(OrchestrationHandle::new(hub, instance_id)))
                }
                Some(record) => Err(HubError::OtherOrchestration {
                    instance_id,
                    found: record.name,
                    wanted: O::ENTRY.name.to_owned(),
                }),
            }
        })
    }

    fn store(&self) -> Option<Arc<dyn Store>> {
        self.inner.store.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn check(&self) -> Result<(), HubError> {
        self.inner.health.check()
    }

    fn error(&self) -> HubError {
        self.inner.health.error()
    }

    /// Reads from the store, where it may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, HubError> {
        self.check()?;
        let store = self.store().ok_or(HubError::ShutDown)?;
        let (reply, result) = oneshot::channel();
        self.inner.readers.submit(move || {
            let result = read(&*store);
            // A shutdown that waits for this may go on.
            drop(store);
            drop(reply.send(result));
        });
        Ok(result.await.map_err(|_stopped| self.error())??)
    }
}

impl fmt::Debug for TaskHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHub").field("store", &self.store()).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let store = self.store.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = store {
            store.give_up();
        }
        self.close();
        self.mailboxes.stop_all();
        self.readers.close();
        self.activities.timer.close();
    }
}
