//! The typed handle of an instance, and waiting for its result.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use super::instance::InstanceHandle;
use super::reply::Reply;
use crate::definition::Orchestrator;
use crate::definition::display_name;
use crate::error::{TaskFailed, task_error};
use crate::hub::error::{HubError, ResultError, Unreadable};
use crate::hub::mail::End;
use crate::hub::task_hub::TaskHub;
use crate::protocol::{InstanceId, InstanceRecord, InvalidInstanceId, Json};

/// A client's handle to an instance of orchestration `O`.
///
/// It is an [`InstanceHandle`] with a type. Dropping it does not affect the instance.
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
    instance: InstanceHandle,
    orchestration: PhantomData<fn() -> O>,
}

impl<O: Orchestrator> OrchestrationHandle<O> {
    pub(crate) fn new(hub: TaskHub, instance_id: InstanceId) -> Self {
        Self { instance: InstanceHandle { hub, instance_id }, orchestration: PhantomData }
    }

    /// Waits until the instance has ended and returns the result of its orchestrator.
    ///
    /// # Errors
    /// [`ResultError::Failed`] if the orchestrator returned an error or panicked,
    /// [`ResultError::Suspended`] if the instance is suspended because its code is missing or does
    /// not fit, [`ResultError::Hub`] if the hub stops first.
    pub async fn result(&self) -> Result<O::Output, ResultError<O::Error>> {
        match self.ended().await?.end {
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

    fn read(&self, result: &Json) -> Result<O::Output, ResultError<O::Error>> {
        let (output, _) = O::codecs();
        let unreadable = |error| {
            let what = format!("the result of instance `{}`", self.instance_id);
            ResultError::Unreadable(Unreadable::new::<O::Output>(what, error))
        };
        output.decode(result).map_err(unreadable)
    }
}

impl InstanceHandle {
    /// Waits until the instance has ended and returns the result of its orchestrator as JSON.
    ///
    /// ```
    /// use durable::client::{InstanceHandle, ResultError};
    ///
    /// /// The output of an orchestration whose type is not known here.
    /// async fn output(instance: &InstanceHandle) -> Result<String, ResultError> {
    ///     Ok(instance.result_json().await?.to_string())
    /// }
    /// ```
    ///
    /// # Errors
    /// The same as [`OrchestrationHandle::result`].
    pub async fn result_json(&self) -> Result<Json, ResultError> {
        let ended = self.ended().await?;
        match ended.end {
            End::Completed(result) => Ok(result),
            End::Failed(details) => {
                let InstanceRecord { name, version, .. } = &ended.record;
                let task = format!("orchestration {}", display_name(name, version.as_deref()));
                Err(ResultError::Failed(TaskFailed::new(task, details, task_error())))
            }
            End::Terminated => Err(ResultError::Terminated(self.instance_id.clone())),
            End::Suspended(suspension) => Err(ResultError::Suspended(suspension)),
        }
    }
}

impl<O> Clone for OrchestrationHandle<O> {
    fn clone(&self) -> Self {
        Self { instance: self.instance.clone(), orchestration: PhantomData }
    }
}

impl<O> Deref for OrchestrationHandle<O> {
    type Target = InstanceHandle;

    fn deref(&self) -> &InstanceHandle {
        &self.instance
    }
}

impl<O> fmt::Debug for OrchestrationHandle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OrchestrationHandle({})", self.instance_id)
    }
}

impl TaskHub {
    /// Returns a handle to the instance with this id, which need not exist and may be of any
    /// orchestration.
    ///
    /// ```
    /// # use durable::TaskHub;
    /// async fn approve(hub: &TaskHub, order: &str) -> durable::Result<()> {
    ///     hub.instance(order)?.raise_event("approval", &true).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// If the id breaks a rule of [`InstanceId`].
    pub fn instance(&self, id: impl AsRef<str>) -> Result<InstanceHandle, InvalidInstanceId> {
        Ok(InstanceHandle { hub: self.clone(), instance_id: InstanceId::new(id)? })
    }

    /// Returns the instance with this id, if it exists and is an instance of `O`. It may have
    /// another version than `O`: only the name of the orchestration is compared. If the versions
    /// return different types, reading the result of the other version fails with
    /// [`ResultError::Unreadable`].
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[orchestrator]
    /// # async fn nightly(ctx: &OrchestrationContext) -> Result<()> { Ok(()) }
    /// # async fn go_on(hub: TaskHub) -> Result<()> {
    /// // Start it, unless it was started before: by this process or the one before it.
    /// let run = match hub.find_instance::<nightly>("nightly-2026-01-04").await? {
    ///     Some(run) => run,
    ///     None => hub.start(nightly().instance_id("nightly-2026-01-04")).await?,
    /// };
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`HubError::InvalidInstanceId`] if the id is invalid; [`HubError::OtherOrchestration`] if
    /// the instance belongs to another orchestration; another error if the hub was shut down, or
    /// its store failed.
    pub fn find_instance<O: Orchestrator>(
        &self,
        instance_id: impl AsRef<str>,
    ) -> Reply<Result<Option<OrchestrationHandle<O>>, HubError>> {
        let (hub, instance_id) = (self.clone(), InstanceId::new(instance_id));
        Reply::new(async move {
            let instance_id = instance_id?;
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
}
