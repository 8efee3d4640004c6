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
        /// The reason.
        reason: String,
    },
    /// Resumes it.
    Resume {
        /// The reason.
        reason: String,
    },
    /// Terminates it.
    Terminate {
        /// The reason.
        reason: String,
        /// Whether to also terminate the sub-orchestrations that it waits for.
        recursive: bool,
    },
    /// Rewinds it: runs its failed tasks again.
    Rewind {
        /// The reason.
        reason: String,
    },
    /// Restarts it under the same id, with the same input.
    Restart {},
    /// Removes it.
    Purge {
        /// Whether to also remove its sub-orchestrations.
        recursive: bool,
    },
    /// Raises an external event.
    Raise {
        /// The name of the event.
        event: String,
        /// The payload of the event.
        payload: Json,
    },
}

/// The request that starts a batch.
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
    /// The instances to act on.
    pub query: InstanceFilter,
    /// The action on each instance.
    pub action: BatchAction,
    /// Whether to only count the instances and report the first 50 ids.
    pub dry_run: bool,
    /// The maximum number of instances per second: at most 1000; 100 if it is `None`.
    pub per_second: Option<u32>,
}

impl BatchRequest {
    /// Creates a batch that acts on all instances that match a filter.
    pub fn new(query: InstanceFilter, action: BatchAction) -> Self {
        Self { id: None, query, action, dry_run: false, per_second: None }
    }

    /// Makes the batch a dry run, which only counts the instances and reports the first 50 ids.
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

    /// Returns the progress of a batch, and its request.
    pub fn get_batch(&self, id: &str) -> Request<BatchDetails> {
        Request::get(self, path(&["batches", id], ""))
    }

    /// Stops a batch. Its effects so far remain.
    pub fn cancel_batch(&self, id: &str) -> Request<Batch> {
        Request::post(self, path(&["batches", id], ":cancel"))
    }

    /// Starts a batch that repeats the action of an ended batch on the instances for which it
    /// failed: up to 1000 of them, or 50 if the batch was stopped.
    pub fn retry_batch(&self, id: &str) -> Request<Batch> {
        Request::post(self, path(&["batches", id], ":retry"))
    }
}
