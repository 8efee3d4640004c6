//! Client operations on a single instance of any orchestration.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::reply::Reply;
use super::start_request::StartRequest;
use crate::event::{ExternalEvent, InvalidEvent, check_name};
use crate::hub::error::{HubError, ManageError};
use crate::hub::mail::Manage;
use crate::hub::task_hub::TaskHub;
use crate::orchestration::json_of;
use crate::payload::InvalidPayload;
use crate::protocol::{
    EventKind, ExecutionStarted, HistoryEvent, InstanceId, InstanceRecord, Json, ParentInstance,
    RuntimeStatus,
};

/// A client's handle to an instance of any orchestration. It holds only the id: the instance need
/// not exist, and dropping the handle does not affect it.
///
/// ```
/// # use durable::prelude::*;
/// #[orchestrator]
/// async fn approval(ctx: &OrchestrationContext) -> Result<bool> {
///     Ok(ctx.wait_for_external_event::<bool>("Approval").await?)
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// let hub = TaskHub::builder().in_memory().open().await?;
/// let run = hub.start(approval().instance_id("budget-7")).await?;
///
/// // Elsewhere, with nothing but the id:
/// hub.instance("budget-7")?.raise_event("Approval", &true).await?;
/// assert!(run.result().await?);
/// # hub.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct InstanceHandle {
    pub(crate) hub: TaskHub,
    pub(crate) instance_id: InstanceId,
}

impl InstanceHandle {
    /// Returns the instance's id.
    #[doc(alias = "id")]
    pub fn instance_id(&self) -> &InstanceId {
        &self.instance_id
    }

    /// Raises an external event, which the orchestrator receives when it
    /// [waits](crate::OrchestrationContext::wait_for_external_event) for it, now or later. The
    /// event is durable when this returns.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # async fn approve(hub: TaskHub) -> Result<()> {
    /// hub.instance("budget-7")?.raise_event("Approval", &true).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`HubError::NoSuchInstance`], [`ManageError::Finished`]; [`ManageError::InvalidEvent`] if
    /// the event has no name, or the payload cannot be serialized or is too large;
    /// [`ManageError::NoRoom`] while the disk is nearly full.
    #[doc(alias = "signal")]
    pub async fn raise_event(
        &self,
        name: &str,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<(), ManageError> {
        self.raise_json(name, self.event_json(payload)).await
    }

    /// Raises an external event whose payload is JSON; see [`raise_event`](Self::raise_event).
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use durable::protocol::Json;
    ///
    /// # #[orchestrator]
    /// # async fn approval(ctx: &OrchestrationContext) -> Result<bool> {
    /// #     Ok(ctx.wait_for_external_event::<bool>("Approval").await?)
    /// # }
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// # let hub = TaskHub::builder().in_memory().open().await?;
    /// let run = hub.start(approval()).await?;
    /// run.raise_event_json("Approval", Json::parse("true")?).await?;
    /// assert!(run.result().await?);
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The same as [`raise_event`](Self::raise_event).
    pub async fn raise_event_json(&self, name: &str, payload: Json) -> Result<(), ManageError> {
        let checked = payload.checked("the event").and_then(|json| {
            let limits = &self.hub.inner.limits;
            limits.check_payload("the event", json.as_str().len()).map(|()| json)
        });
        self.raise_json(name, checked).await
    }

    /// Raises an external event if the instance exists and has not ended, and returns whether it
    /// raised the event. Use it for events that may arrive too late.
    ///
    /// ```
    /// use durable::client::{InstanceHandle, ManageError};
    ///
    /// async fn notify(instance: &InstanceHandle) -> Result<(), ManageError> {
    ///     if !instance.raise_event_if_running("stock-changed", &()).await? {
    ///         println!("the instance has ended, so nothing was raised");
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ManageError::InvalidEvent`] and [`ManageError::NoRoom`], as in
    /// [`raise_event`](Self::raise_event).
    pub async fn raise_event_if_running(
        &self,
        name: &str,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<bool, ManageError> {
        match self.raise_event(name, payload).await {
            Ok(()) => Ok(true),
            Err(ManageError::Finished { .. }) => Ok(false),
            Err(error) if error.is_no_such_instance() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Raises an event of a declared type; see [`event`](macro@crate::event).
    ///
    /// ```
    /// use durable::client::{InstanceHandle, ManageError};
    ///
    /// #[durable::event]
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Approval {
    ///     by: String,
    /// }
    ///
    /// async fn approve(order: &InstanceHandle) -> Result<(), ManageError> {
    ///     order.raise(&Approval { by: "Ada".to_owned() }).await
    /// }
    /// ```
    ///
    /// # Errors
    /// The same as [`raise_event`](Self::raise_event).
    pub fn raise<T: ExternalEvent>(&self, event: &T) -> Reply<Result<(), ManageError>> {
        let (instance, json) = (self.clone(), self.typed_event_json(event));
        Reply::new(async move { instance.raise_json(T::NAME, json).await })
    }

    /// Serializes an event of a declared type.
    pub(crate) fn typed_event_json<T: ExternalEvent>(
        &self,
        event: &T,
    ) -> Result<Json, Box<InvalidPayload>> {
        let json = T::codec().encode_readable("the event", event)?;
        self.hub.inner.limits.check_payload("the event", json.as_str().len())?;
        Ok(json)
    }

    /// Serializes an event's payload.
    pub(crate) fn event_json(
        &self,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<Json, Box<InvalidPayload>> {
        json_of("the event", payload, &self.hub.inner.limits)
    }

    pub(crate) async fn raise_json(
        &self,
        name: &str,
        input: Result<Json, Box<InvalidPayload>>,
    ) -> Result<(), ManageError> {
        check_name(name)?;
        let input = input.map_err(InvalidEvent::from)?;
        self.send_event(name, input, false).await
    }

    /// Suspends the instance. Events and results that arrive are recorded, and running activities
    /// finish, but the orchestrator does not run until the instance is [resumed](Self::resume).
    /// Failed attempts are also handled then, by their [retry policy](crate::RetryPolicy) and as of
    /// the time of the failure.
    ///
    /// ```
    /// use durable::client::{InstanceHandle, ManageError};
    ///
    /// async fn pause_for_maintenance(instance: &InstanceHandle) -> Result<(), ManageError> {
    ///     instance.suspend("maintenance of the warehouse").await?;
    ///     // ...
    ///     instance.resume("the warehouse is open again").await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`HubError::NoSuchInstance`], [`ManageError::Finished`]; never [`ManageError::NoRoom`].
    /// Suspending a suspended instance has no effect.
    pub async fn suspend(&self, reason: impl Into<String>) -> Result<(), ManageError> {
        self.manage(Manage::Suspend { reason: reason.into() }).await
    }

    /// Resumes a suspended instance. If the runtime suspended it because its code did not fit, it
    /// is replayed with the current code.
    ///
    /// # Errors
    /// [`HubError::NoSuchInstance`], [`ManageError::Finished`]; [`ManageError::StillSuspended`] if
    /// its code still does not fit; [`ManageError::NoRoom`] while the disk is nearly full. Resuming
    /// an instance that is not suspended has no effect.
    pub async fn resume(&self, reason: impl Into<String>) -> Result<(), ManageError> {
        self.manage(Manage::Resume { reason: reason.into() }).await
    }

    /// Terminates the instance immediately. Its activities are notified through their [cancellation
    /// token](crate::ActivityContext::cancellation_token); its sub-orchestrations continue.
    ///
    /// ```
    /// use durable::client::{InstanceHandle, ManageError};
    ///
    /// async fn cancel(order: &InstanceHandle) -> Result<(), ManageError> {
    ///     order.terminate("cancelled by the customer").await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`HubError::NoSuchInstance`], [`ManageError::Finished`]; never [`ManageError::NoRoom`].
    #[doc(alias = "cancel")]
    pub async fn terminate(&self, reason: impl Into<String>) -> Result<(), ManageError> {
        self.manage(Manage::Terminate { reason: reason.into(), recurse: false }).await
    }

    /// Terminates the instance and, recursively, all sub-orchestrations that it waits for.
    ///
    /// # Errors
    /// The same as [`terminate`](Self::terminate).
    pub async fn terminate_recursively(
        &self,
        reason: impl Into<String>,
    ) -> Result<(), ManageError> {
        self.manage(Manage::Terminate { reason: reason.into(), recurse: true }).await
    }

    /// Retries what made the instance fail, and keeps everything that had succeeded. The failures
    /// are removed from the history, and every task that is then open runs again:
    ///
    /// * An activity runs again, from its first attempt if it had failed.
    /// * A failed sub-orchestration is rewound, recursively. One that has completed in the
    ///   meantime, because it was rewound before its parent, answers with its result. One that was
    ///   purged, or was terminated by its parent's failure, a time limit or a client, is started
    ///   again from the beginning. A running one continues.
    /// * A failed entity call is made again.
    /// * Time limits ([`timeout`](crate::Call::timeout), [`durable::timeout`](crate::timeout),
    ///   [`retry_timeout`](crate::RetryPolicy::retry_timeout)) start again at the rewind. A timer
    ///   keeps its due time, and fires at once if that has passed.
    /// * Signals, sent events and orchestrations [started](crate::OrchestrationContext::start)
    ///   without waiting for them are not repeated.
    ///
    /// Repeated calls get the input that the code computes now, so an instance that failed because
    /// of a bug can succeed once the bug is fixed.
    ///
    /// ```
    /// use durable::client::{InstanceHandle, ManageError};
    ///
    /// async fn retry_failed(instance: &InstanceHandle) -> Result<(), ManageError> {
    ///     match instance.rewind("the bank is reachable again").await {
    ///         Err(ManageError::NotFailed { .. }) => Ok(()),
    ///         other => other,
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// [`HubError::NoSuchInstance`], [`ManageError::NotFinished`], [`ManageError::NotFailed`];
    /// [`ManageError::CannotRewind`] if the orchestrator continued with other work after the
    /// failure, was in a critical section or waited for one, or had an unanswered entity call,
    /// because it is unknown whether that call was carried out; [`ManageError::NoRoom`] while the
    /// disk is nearly full.
    pub async fn rewind(&self, reason: impl Into<String>) -> Result<(), ManageError> {
        self.manage(Manage::Rewind { reason: reason.into() }).await
    }

    /// Restarts an instance that has ended, under the same id. Its history is removed.
    ///
    /// The new execution gets the input of the last one. After
    /// [continue-as-new](crate::OrchestrationContext::continue_as_new) that is the input passed to
    /// `continue_as_new`, not the input of the original start, because earlier executions are not
    /// kept.
    ///
    /// Sub-orchestrations of the removed execution stay, and
    /// [`purge_recursively`](Self::purge_recursively) no longer finds them. To remove them as well,
    /// purge the instance recursively and start it again instead.
    ///
    /// ```
    /// use durable::client::{InstanceHandle, ManageError};
    ///
    /// /// Repeats a run that has ended, with the same id and input.
    /// async fn repeat(instance: &InstanceHandle) -> Result<(), ManageError> {
    ///     instance.restart().await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`HubError::NoSuchInstance`]; [`ManageError::Start`] if the instance is running or the disk
    /// is nearly full.
    pub async fn restart(&self) -> Result<(), ManageError> {
        let request = self.request_again(self.instance_id.clone()).await?;
        let started = self.hub.request_start(request).await;
        started.map(drop).map_err(|error| ManageError::Start(Box::new(error)))
    }

    /// Starts a new instance with the same input under another id and returns its handle.
    /// [`InstanceId::generate`] creates an id. The input is chosen as in
    /// [`restart`](Self::restart).
    ///
    /// ```
    /// use durable::client::{InstanceHandle, ManageError};
    ///
    /// /// Repeats a run and keeps the first one.
    /// async fn repeat(instance: &InstanceHandle) -> Result<InstanceHandle, ManageError> {
    ///     instance.restart_as(format!("{}-again", instance.instance_id())).await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`HubError::NoSuchInstance`], [`ManageError::InvalidInstanceId`]; [`ManageError::Start`] if the
    /// id is taken or the disk is nearly full.
    pub async fn restart_as(&self, id: impl AsRef<str>) -> Result<Self, ManageError> {
        let instance_id = InstanceId::new(id)?;
        let request = self.request_again(instance_id).await?;
        let request = StartRequest { replaces: Vec::new(), ..request };
        let started = self.hub.request_start(request).await;
        let instance_id = started.map_err(|error| ManageError::Start(Box::new(error)))?;
        Ok(Self { hub: self.hub.clone(), instance_id })
    }

    /// Removes an instance that has ended, with its history. Its id can be used again.
    ///
    /// ```
    /// use durable::client::{InstanceHandle, ManageError};
    ///
    /// async fn forget(instance: &InstanceHandle) -> Result<(), ManageError> {
    ///     instance.wait_for_completion().await?;
    ///     instance.purge().await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`HubError::NoSuchInstance`], [`ManageError::NotFinished`]; never [`ManageError::NoRoom`].
    pub async fn purge(&self) -> Result<(), ManageError> {
        self.manage(Manage::Purge { child_of: None }).await
    }

    /// Removes an instance that has ended and, recursively, its sub-orchestrations that have ended;
    /// returns the number of removed instances.
    ///
    /// Only sub-orchestrations that the current execution called are removed. An instance with the
    /// id of a sub-orchestration stays if a client started it (so the call failed because the id
    /// was taken), if another orchestration has since started it under that id, or if it was
    /// started [without waiting](crate::OrchestrationContext::start). Sub-orchestrations that were
    /// started before the instance last [continued as
    /// new](crate::OrchestrationContext::continue_as_new) or was [restarted](Self::restart) stay,
    /// too, because the instance no longer refers to them.
    ///
    /// # Errors
    /// The same as [`purge`](Self::purge).
    pub async fn purge_recursively(&self) -> Result<u64, ManageError> {
        let mut children = Vec::new();
        let found = self.record_and_history().await?;
        self.add_children(found, &mut children);
        let mut seen = BTreeSet::from([self.instance_id.clone()]);
        let mut next = 0;
        while let Some((child, parent)) = children.get(next).cloned() {
            next += 1;
            let known = match child.record_and_history().await {
                Err(HubError::NoSuchInstance(_)) => continue,
                known => known?,
            };
            let is_child = known.0.parent.as_ref().is_some_and(|known| known.is_same_call(&parent));
            if is_child && seen.insert(child.instance_id.clone()) {
                child.add_children(known, &mut children);
            }
        }
        self.purge().await?;
        let mut purged = 1;
        for (child, parent) in children {
            match child.manage(Manage::Purge { child_of: Some(Box::new(parent)) }).await {
                Ok(()) => purged += 1,
                Err(ManageError::NotFinished { .. }) => {}
                Err(error) if error.is_no_such_instance() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(purged)
    }

    /// Adds the sub-orchestrations that the instance called, each with the call that started it.
    fn add_children(
        &self,
        (record, history): (InstanceRecord, Vec<HistoryEvent>),
        children: &mut Vec<(Self, ParentInstance)>,
    ) {
        let InstanceRecord { instance_id, execution_id, name, version, .. } = record;
        for event in history {
            let EventKind::SubOrchestrationInstanceCreated {
                instance_id: child,
                detached: false,
                ..
            } = event.kind
            else {
                continue;
            };
            let parent = ParentInstance {
                instance_id: instance_id.clone(),
                execution_id,
                name: name.clone(),
                version: version.clone(),
                task_scheduled_id: event.event_id,
            };
            children.push((Self { hub: self.hub.clone(), instance_id: child }, parent));
        }
    }

    async fn request_again(&self, instance_id: InstanceId) -> Result<StartRequest, ManageError> {
        let history = self.history().await?;
        let started = history.into_iter().find_map(|event| started(event.kind));
        let started = started.ok_or_else(|| HubError::NoSuchInstance(self.instance_id.clone()))?;
        let ExecutionStarted { name, version, input, tags, trace_context, .. } = *started;
        let replaces =
            vec![RuntimeStatus::Completed, RuntimeStatus::Failed, RuntimeStatus::Terminated];
        Ok(StartRequest {
            instance_id,
            name,
            version,
            input,
            tags,
            trace_context,
            start_at: None,
            replaces,
            is_new_id: false,
        })
    }
}

fn started(kind: EventKind) -> Option<Box<ExecutionStarted>> {
    match kind {
        EventKind::ExecutionStarted(started) => Some(started),
        _ => None,
    }
}

impl fmt::Debug for InstanceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstanceHandle({})", self.instance_id)
    }
}
