//! What a client holds of an instance.

use std::fmt;
use std::marker::PhantomData;

use tokio::sync::oneshot;

use super::TaskHub;
use super::error::{HubError, ResultError};
use super::mail::{End, Mail};
use crate::error::TaskFailed;
use crate::orchestration::Orchestrator;
use crate::protocol::{HistoryEvent, InstanceId, InstanceRecord, Json};
use crate::registry::display_name;

/// An instance of orchestration `O`, seen from outside.
///
/// It is only a name with a type: dropping it does nothing to the instance.
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
/// let hub = TaskHub::builder().in_memory().open().await?;
/// let run = hub.start(greet("Tokyo".into()).instance_id("greet-tokyo")).await?;
/// assert_eq!(run.result().await?, "Hello Tokyo!");
/// assert!(run.status().await?.runtime_status.is_finished());
/// for event in run.history().await? {
///     println!("{} {}", event.timestamp, event.kind.type_name());
/// }
/// # hub.shutdown().await?;
/// # Ok(())
/// # }
/// ```
pub struct OrchestrationHandle<O> {
    hub: TaskHub,
    instance_id: InstanceId,
    orchestration: PhantomData<fn() -> O>,
}

impl<O: Orchestrator> OrchestrationHandle<O> {
    pub(super) fn new(hub: TaskHub, instance_id: InstanceId) -> Self {
        Self { hub, instance_id, orchestration: PhantomData }
    }

    /// The instance's id.
    pub fn instance_id(&self) -> &InstanceId {
        &self.instance_id
    }

    /// Waits until the instance has ended and gives what its orchestrator returned.
    ///
    /// # Errors
    /// [`ResultError::Failed`] if it returned an error or panicked, [`ResultError::Suspended`] if it
    /// waits for other code than this program has, [`ResultError::Hub`] if the hub stops before.
    pub async fn result(&self) -> Result<O::Output, ResultError<O::Error>> {
        match self.end().await? {
            End::Completed(result) => self.read(&result),
            End::Failed(details) => {
                let task =
                    format!("orchestration {}", display_name(O::ENTRY.name, O::ENTRY.version));
                let (_, error) = O::codecs();
                Err(ResultError::Failed(TaskFailed::new(task, details, error)))
            }
            End::Terminated => Err(ResultError::Terminated(self.instance_id.clone())),
            End::Suspended(suspension) => Err(ResultError::Suspended(suspension)),
        }
    }

    /// How far the instance is.
    ///
    /// # Errors
    /// The hub was shut down, or its store failed.
    pub async fn status(&self) -> Result<InstanceRecord, HubError> {
        let id = self.instance_id.clone();
        let record = self.hub.read(move |store| store.instance(&id)).await?;
        record.ok_or_else(|| HubError::NoSuchInstance(self.instance_id.clone()))
    }

    /// All that has happened to the instance, in order.
    ///
    /// # Errors
    /// The hub was shut down, or its store failed.
    pub async fn history(&self) -> Result<Vec<HistoryEvent>, HubError> {
        let record = self.status().await?;
        self.hub.read(move |store| store.history(&record.instance_id, record.execution_id, 0)).await
    }

    async fn end(&self) -> Result<End, HubError> {
        self.hub.check()?;
        let (reply, end) = oneshot::channel();
        let instance_id = self.instance_id.clone();
        self.hub.send(&self.instance_id, Mail::Wait { instance_id, reply });
        let end = end.await.map_err(|_gone| self.hub.error())?;
        end.ok_or_else(|| HubError::NoSuchInstance(self.instance_id.clone()))
    }

    fn read(&self, result: &Json) -> Result<O::Output, ResultError<O::Error>> {
        let (output, _) = O::codecs();
        output.decode(result).map_err(|error| ResultError::Unreadable {
            instance_id: self.instance_id.clone(),
            reason: error.to_string(),
        })
    }
}

impl<O> Clone for OrchestrationHandle<O> {
    fn clone(&self) -> Self {
        Self {
            hub: self.hub.clone(),
            instance_id: self.instance_id.clone(),
            orchestration: PhantomData,
        }
    }
}

impl<O> fmt::Debug for OrchestrationHandle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OrchestrationHandle({})", self.instance_id)
    }
}
