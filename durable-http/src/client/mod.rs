//! A typed client of `/api/v1`, for the dashboard, the command line, and other Rust programs.
//!
//! ```
//! use durable::prelude::*;
//! use durable::RuntimeStatus;
//! use durable_http::HttpOptions;
//! use durable_http::client::{Client, InstanceFilter, StartRequest};
//!
//! #[orchestrator]
//! async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<u32> {
//!     Ok(cents)
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<()> {
//! # let hub = TaskHub::builder().in_memory().open().await?;
//! // Of another process: `Client::connect("http://127.0.0.1:7071")?`.
//! let client = Client::in_process(durable_http::router(&hub, HttpOptions::new()));
//!
//! let start = StartRequest::new("order").id("order-17").input(&500)?;
//! client.start_instance(&start).await?;
//! let details = client.get_instance("order-17").wait(10).await?;
//! assert_eq!(details.status.runtime_status, RuntimeStatus::Completed);
//!
//! let completed = InstanceFilter::new().status(RuntimeStatus::Completed);
//! let page = client.list_instances(&completed).limit(20).await?;
//! assert_eq!(page.items.len(), 1);
//! # hub.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Each method is named for the operation of the `OpenAPI` document that it requests, and returns a
//! [`Request`], which is sent when it is awaited. A request can also return the raw JSON of the
//! answer ([`Request::text`]), and the path that it requests ([`Request::path_and_query`]).
//!
//! Rules:
//! 1. A hub in the same process is called through the same routes, so keys, roles, limits and JSON
//!    are the same everywhere.
//! 2. An error of the API ([`ClientError::Problem`]) is never confused with a hub that cannot be
//!    reached.
//! 3. Only requests that change nothing are sent again after a failure.

// Read next: `request.rs` (sending), `transport.rs` (connections), `model/` (the answers).

mod batches;
mod entities;
mod error;
mod events;
mod filter;
mod hub;
mod instances;
mod model;
mod request;
mod schedules;
mod send;
mod transport;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderValue;

use transport::Transport;

pub use batches::{BatchAction, BatchRequest};
pub use error::{ClientError, ProblemDetails};
pub use events::{HubEvent, HubEvents, InstanceEvent, InstanceEvents};
pub use filter::{EntityFilter, GroupBy, InstanceFilter, InstanceOrder, ScheduleFilter};
pub use instances::StartRequest;
pub use model::{
    Access, ActivityAttempts, ActivityStatistics, AttemptFailure, AwaitedEntity, Backup,
    BackupReport, BackupStatus, Backups, Batch, BatchDetails, BatchError, BatchProgress, Child,
    CleanedEntities, CommitLatency, Entity, EntityQueue, Event, EventWait, Failure, FollowedEvent,
    FrozenPartition, Histogram, HistogramBucket, HistoryPage, Hub, HubNode, IndexedPage,
    InstanceCount, InstanceDetails, InstanceStatus, LifecycleEvent, Page, Parameter, Parent,
    ParkedPartition, PendingCause, PendingKind, PendingTask, PendingWork, PinnedPartition, Purged,
    QueuedKind, QueuedRequest, Recurrence, Registered, RegisteredEntity, RegisteredFunction,
    RegisteredOperation, ResumedEntity, RetriedPartition, RunningActivities, RunningActivity,
    Schedule, Signal, Started, Suspension,
};
pub use request::Request;
pub use schedules::ScheduleRequest;

/// The limit for a request that does not wait for an instance.
const REQUEST_TIME: Duration = Duration::from_secs(13);

/// A client of one hub. Clones share their connections.
///
/// ```
/// use durable_http::client::{Client, ClientError};
///
/// fn connect() -> Result<Client, ClientError> {
///     Client::connect("http://127.0.0.1:7071")?.with_key("the key of the hub")
/// }
/// # assert!(connect().is_ok());
/// ```
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    /// The address as it was given, for errors.
    place: Arc<str>,
    /// The path at which the routes are mounted.
    prefix: Arc<str>,
    key: Option<HeaderValue>,
    request_time: Duration,
}

impl Client {
    /// Creates a client that calls these routes directly, without a connection.
    ///
    /// `router` is the result of [`durable_http::router`](crate::router). If its options have keys,
    /// the client needs one, too.
    pub fn in_process(router: Router) -> Self {
        Self::new(Transport::InProcess(router), "this process", "")
    }

    /// Creates a client of the hub at an address: `http://host:port`, followed by the path at which
    /// the routes are mounted, if any; or `unix:/path/of/socket`. A connection is made when a
    /// request is sent, within 3 s.
    ///
    /// TLS is not supported. For a remote hub, connect through a tunnel or a proxy on this machine.
    ///
    /// # Errors
    /// [`ClientError::InvalidPlace`] if the text is not such an address.
    pub fn connect(place: &str) -> Result<Self, ClientError> {
        let (transport, prefix) = Transport::to(place)?;
        Ok(Self::new(transport, place, &prefix))
    }

    fn new(transport: Transport, place: &str, prefix: &str) -> Self {
        Self {
            transport,
            place: place.into(),
            prefix: prefix.into(),
            key: None,
            request_time: REQUEST_TIME,
        }
    }

    /// Sends this key with every request, in the header `x-functions-key`.
    ///
    /// # Errors
    /// [`ClientError::InvalidKey`] if a header cannot contain the key.
    pub fn with_key(mut self, key: &str) -> Result<Self, ClientError> {
        let mut key = HeaderValue::from_str(key).map_err(|_| ClientError::InvalidKey)?;
        key.set_sensitive(true);
        self.key = Some(key);
        Ok(self)
    }

    /// Limits the time of a request, from the connection to the end of the answer; by default to 13
    /// s. The limit of a request that waits for an instance is extended by the time of the wait.
    #[must_use]
    pub fn with_request_time(mut self, time: Duration) -> Self {
        self.request_time = time;
        self
    }

    /// Returns the address that was given to [`connect`](Self::connect), or `this process`.
    pub fn place(&self) -> &str {
        &self.place
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("place", &self.place).finish_non_exhaustive()
    }
}
