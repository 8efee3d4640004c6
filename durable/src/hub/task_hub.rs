//! The task hub: the state that all its handles share.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::oneshot;

use super::commit::times::CommitTimes;
use super::error::HubError;
use super::health::Health;
use super::mailboxes::Mailboxes;
use super::nodes::node::Nodes;
use super::recovery::takeover::OfAttempts;
use super::shutdown::Stopping;
use super::telemetry::lifecycle::LifecycleSource;
use super::telemetry::lines::Kept;
use super::threads::{Pool, StoreThreads, Threads};
use super::time::clock::Clock;
use super::time::virtual_time::VirtualTime;
use super::work::activities::Activities;
use super::work::batches::Batches;
use crate::limits::Limits;
use crate::protocol::Tags;
use crate::registry::Registry;
use crate::store::{Store, StoreError};

/// A store and everything that runs on it. Starts, queries and manages instances.
///
/// Cloning is cheap and returns another handle to the same hub. If the last handle is dropped
/// without [`shutdown`](Self::shutdown), the hub stops as in a crash: nothing recorded is lost.
///
/// # Back-pressure
/// Every request to a hub is a future that completes once its effect is durable. The requests that
/// wait for their partition are bounded, in number and in bytes, by
/// [`waiting_requests`](crate::client::TaskHubBuilder::waiting_requests). Above that bound, clients
/// wait before they send. What activities, orchestrations and entities send is never held up.
///
/// If a client drops the future before it completes, for example on a timeout, it does not know
/// whether the request was carried out. A request that its partition had not yet accepted is never
/// carried out.
///
/// While the disk is nearly full, or commits wait for another resource, requests that add work are
/// refused at once with an error `NoRoom`
/// ([`StartError::NoRoom`](crate::client::StartError::NoRoom),
/// [`ManageError::NoRoom`](crate::client::ManageError::NoRoom),
/// [`EntityError::NoRoom`](crate::client::EntityError::NoRoom)): starts and restarts, events,
/// resume and rewind, entity signals and calls, and creating, resuming or updating a schedule.
/// Requests that end work or free space are still accepted: suspend, terminate and purge, deleting
/// an entity, cancelling a signal, releasing orphaned locks, pausing and deleting a schedule.
/// Running instances may use the rest of the disk.
///
/// ```
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
    /// `None` once the hub is shut down, so that remaining handles do not keep the store open.
    pub(super) store: RwLock<Option<Arc<dyn Store>>>,
    pub(super) mailboxes: Mailboxes,
    pub(super) activities: Arc<Activities>,
    pub(super) batches: Arc<Batches>,
    pub(super) health: Arc<Health>,
    /// Where the store is, for the log.
    pub(super) kept: Kept,
    pub(super) lifecycle: LifecycleSource,
    pub(super) commit_times: Arc<CommitTimes>,
    pub(super) limits: Limits,
    /// The properties of new executions.
    pub(super) properties: Arc<Tags>,
    /// Virtual time, in a test.
    pub(super) time: Option<Arc<VirtualTime>>,
    /// The hub's clock, shared with its partitions.
    pub(super) clock: Clock,
    pub(super) threads: Threads,
    pub(super) for_clients: StoreThreads,
    /// The notes that an orderly shutdown removes, which tells the next opening that it was
    /// orderly.
    pub(super) notes: OfAttempts,
    /// The other processes, if the store lets several share the hub.
    pub(super) nodes: Option<Arc<Nodes>>,
    pub(super) stopping: Stopping,
    /// Dropping it ends the task that watches the runtime.
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

    /// Tells the hub that it is now reachable over the network. From then on, the requests of its
    /// orchestrations may not go to internal addresses, unless the hub was opened with a policy.
    /// Without the feature `http`, this has no effect.
    #[doc(hidden)]
    pub fn expose(&self) {
        #[cfg(feature = "http")]
        if let Ok(client) = self.inner.activities.states.find::<crate::http::HttpClient>() {
            client.expose();
        }
    }

    /// Reads from the store on a thread that may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, HubError> {
        self.on(&self.inner.for_clients.reads, read).await
    }

    /// Sends something to another node on a thread that may block.
    pub(super) async fn ask_store(
        &self,
        ask: impl FnOnce(&dyn Store) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), HubError> {
        self.on(&self.inner.for_clients.asks, ask).await
    }

    async fn on<T: Send + 'static>(
        &self,
        pool: &Arc<Pool>,
        work: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, HubError> {
        self.check()?;
        let store = self.store().ok_or(HubError::ShutDown)?;
        let (reply, result) = oneshot::channel();
        pool.submit(move || {
            let result = work(&*store);
            // Before the reply, so that a shutdown that waits for this can proceed.
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
    /// Ends the threads that communicate with other nodes.
    pub(super) fn stop_nodes(&self) {
        let Some(nodes) = &self.nodes else { return };
        nodes.stop();
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(cluster) = store.as_ref().and_then(|store| store.cluster()) {
            cluster.interrupt();
        }
    }

    /// Rejects new work and signals running work to stop.
    pub(super) fn close(&self) {
        self.health.shut_down();
        self.activities.close();
        self.batches.close();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop_nodes();
        let store = self.store.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = store {
            store.give_up();
        }
        self.close();
        self.mailboxes.stop_all();
        self.for_clients.close();
        self.activities.timer.close();
    }
}
