//! What a task hub is made of, and what all its handles share.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::oneshot;

use super::error::HubError;
use super::health::Health;
use super::mail::Mailboxes;
use super::shutdown::Stopping;
use super::telemetry::lifecycle::LifecycleSource;
use super::telemetry::lines::Kept;
use super::threads::{Readers, Threads};
use super::time::clock::Clock;
use super::time::virtual_time::VirtualTime;
use super::work::activities::Activities;
use super::work::batches::Batches;
use crate::limits::Limits;
use crate::protocol::Tags;
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
/// [`waiting_requests`](crate::client::TaskHubBuilder::waiting_requests); beyond that a client waits to send its own.
/// What activities, orchestrations and entities send is not held up.
///
/// A client whose future is dropped before it has answered, such as by a timeout, does not know whether
/// the request was carried out. If its partition had not yet taken it in, it was not, and never will be.
///
/// While the disk is nearly full, or commits wait for another resource, requests that have the hub
/// write more are refused at once with an error `NoRoom` ([`StartError::NoRoom`](crate::client::StartError::NoRoom),
/// [`ManageError::NoRoom`](crate::client::ManageError::NoRoom), [`EntityError::NoRoom`](crate::client::EntityError::NoRoom)): starts and restarts, events, resume and rewind,
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
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) registry: Arc<Registry>,
    /// None once the hub is shut down, so that handles that are still held keep nothing open.
    pub(super) store: RwLock<Option<Arc<dyn Store>>>,
    pub(super) mailboxes: Mailboxes,
    pub(super) activities: Arc<Activities>,
    pub(super) batches: Arc<Batches>,
    pub(super) health: Arc<Health>,
    /// Where it is kept, for the log.
    pub(super) kept: Kept,
    pub(super) lifecycle: LifecycleSource,
    pub(super) limits: Limits,
    /// What orchestrators of new instances are told.
    pub(super) properties: Arc<Tags>,
    /// Where time is made, in a test.
    pub(super) time: Option<Arc<VirtualTime>>,
    /// The time of this hub, which its partitions share.
    pub(super) clock: Clock,
    pub(super) threads: Threads,
    pub(super) readers: Arc<Readers>,
    pub(super) stopping: Stopping,
    /// Ends the task that watches the runtime.
    pub(super) _runtime_watch: oneshot::Sender<()>,
}

impl TaskHub {
    pub(super) fn store(&self) -> Option<Arc<dyn Store>> {
        self.inner.store.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn check(&self) -> Result<(), HubError> {
        self.inner.health.check()
    }

    pub(super) fn error(&self) -> HubError {
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

impl Inner {
    /// Begins nothing more, and tells what is running to come to an end.
    pub(super) fn close(&self) {
        self.health.shut_down();
        self.activities.close();
        self.batches.close();
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
