//! Requests about batches, which act on all instances that match a filter.

use durable::protocol::Json;
use serde::{Deserialize, Serialize};

use super::request::{Request, path};
use super::{Batch, BatchDetails, Client, InstanceFilter, Page};

/// What a batch does with each instance.
///
/// ```
/// use durable::RuntimeStatus;
/// use durable_http::client::{BatchAction, BatchRequest, InstanceFilter};
///
/// let action = BatchAction::Rewind { reason: "the bank is reachable again".to_owned() };
/// let failed = InstanceFilter::new().status(RuntimeStatus::Failed);
/// let batch = BatchRequest::new(failed, action).dry_run();
/// # let _ = batch;
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum BatchAction {
    /// Suspends it.
    Suspend {
        /// Why.
        reason: String,
    },
    /// Resumes it.
    Resume {
        /// Why.
        reason: String,
    },
    /// Terminates it.
    Terminate {
        /// Why.
        reason: String,
        /// Whether to terminate the sub-orchestrations that it waits for, too.
        recursive: bool,
    },
    /// Runs its failed tasks again.
    Rewind {
        /// Why.
        reason: String,
    },
    /// Starts it again under its id, with the same input.
    Restart {},
    /// Removes it.
    Purge {
        /// Whether to remove its sub-orchestrations, too.
        recursive: bool,
    },
    /// Raises an external event.
    Raise {
        /// The name of the event.
        event: String,
        /// Its payload.
        payload: Json,
    },
}

/// A batch to start.
///
/// ```
/// use durable::RuntimeStatus;
/// use durable_http::client::{BatchAction, BatchRequest, InstanceFilter};
///
/// let failed = InstanceFilter::new().status(RuntimeStatus::Failed);
/// let rewind = BatchAction::Rewind { reason: "the bank answers again".to_owned() };
/// let request = BatchRequest::new(failed, rewind).dry_run();
/// assert!(request.dry_run);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BatchRequest {
    /// The id of the batch; generated if it is `None`.
    pub id: Option<String>,
    /// The instances.
    pub query: InstanceFilter,
    /// What to do with them.
    pub action: BatchAction,
    /// Only counts the instances, and names the first 50.
    pub dry_run: bool,
    /// The most instances per second; 100 if it is `None`, at most 1000.
    pub per_second: Option<u32>,
}

impl BatchRequest {
    /// A batch that acts on all instances that match a filter.
    pub fn new(query: InstanceFilter, action: BatchAction) -> Self {
        Self { id: None, query, action, dry_run: false, per_second: None }
    }

    /// Only counts the instances, and names the first 50.
    #[must_use]
    pub fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }
}

/// Batches.
impl Client {
    /// Starts a batch.
    ///
    /// ```
    /// # use durable_http::client::{BatchRequest, Client, ClientError};
    /// async fn run(client: &Client, batch: &BatchRequest) -> Result<(), ClientError> {
    ///     let batch = client.start_batch(batch).await?;
    ///     println!("started batch {}", batch.id);
    ///     Ok(())
    /// }
    /// ```
    pub fn start_batch(&self, batch: &BatchRequest) -> Request<Batch> {
        Request::post(self, "/batches").body(batch)
    }

    /// Lists the batches.
    pub fn list_batches(&self) -> Request<Page<Batch>> {
        Request::get(self, "/batches")
    }

    /// Returns what a batch has done, and its request.
    pub fn get_batch(&self, id: &str) -> Request<BatchDetails> {
        Request::get(self, path(&["batches", id], ""))
    }

    /// Stops a batch. What it has done remains.
    pub fn cancel_batch(&self, id: &str) -> Request<Batch> {
        Request::post(self, path(&["batches", id], ":cancel"))
    }

    /// Starts a batch with the same action on the instances that have failed in a batch that has
    /// ended: up to 1000, or 50 if it was stopped.
    pub fn retry_batch(&self, id: &str) -> Request<Batch> {
        Request::post(self, path(&["batches", id], ":retry"))
    }
}
