//! What a client can do to an instance, whatever its orchestration.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use tokio::sync::oneshot;

use super::reply::Reply;
use super::start_request::StartRequest;
use super::status::InstanceStatus;
use crate::error::Error;
use crate::event::{ExternalEvent, check_name};
use crate::hub::error::{HubError, ManageError};
use crate::hub::mail::{Ended, Mail, Manage};
use crate::hub::task_hub::TaskHub;
use crate::orchestration::json_of;
use crate::protocol::{
    EventKind, ExecutionStarted, HistoryEvent, InstanceId, InstanceRecord, Json, ParentInstance,
    RuntimeStatus,
};

/// An instance, seen from outside, whatever its orchestration. It is only a name: dropping it does
/// nothing to the instance, and there need not be one.
///
/// ```standalone_crate
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
    /// The instance's id.
    #[doc(alias = "id")]
    pub fn instance_id(&self) -> &InstanceId {
        &self.instance_id
    }

    /// Raises an external event, for an orchestrator that
    /// [waits](crate::OrchestrationContext::wait_for_external_event) for it, now or later. When
    /// this returns, the event is durable.
    ///
    /// # Errors
    /// [`HubError::NoSuchInstance`], [`ManageError::Finished`]; [`ManageError::InvalidEvent`] if
    /// it has no name, or the payload has no JSON form or is too large; [`ManageError::NoRoom`] while
    /// the disk is nearly full.
    #[doc(alias = "signal")]
    pub async fn raise_event(
        &self,
        name: &str,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<(), ManageError> {
        self.raise_json(name, self.event_json(payload)).await
    }

    /// As [`raise_event`](Self::raise_event), with a payload that is JSON already.
    ///
    /// ```standalone_crate
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
    /// As [`raise_event`](Self::raise_event).
    pub async fn raise_event_json(&self, name: &str, payload: Json) -> Result<(), ManageError> {
        let checked = payload.checked().and_then(|json| {
            let limits = &self.hub.inner.limits;
            limits.check_payload("the event", json.as_str().len()).map(|()| json)
        });
        self.raise_json(name, checked.map_err(Error::msg)).await
    }

    /// Raises an external event if there is an instance that can get it, and tells whether there
    /// is: for events that may come too late.
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
    /// # Errors
    /// As [`raise_event`](Self::raise_event).
    pub fn raise<T: ExternalEvent>(&self, event: &T) -> Reply<Result<(), ManageError>> {
        let (instance, json) = (self.clone(), self.typed_event_json(event));
        Reply::new(async move { instance.raise_json(T::NAME, json).await })
    }

    /// What an event of a declared type carries, as JSON.
    pub(crate) fn typed_event_json<T: ExternalEvent>(&self, event: &T) -> crate::Result<Json> {
        let json = T::codec().encode_readable("the event", event).map_err(Error::msg)?;
        let limits = &self.hub.inner.limits;
        limits.check_payload("the event", json.as_str().len()).map_err(Error::msg)?;
        Ok(json)
    }

    /// What an event carries, as JSON.
    pub(crate) fn event_json(&self, payload: &(impl Serialize + ?Sized)) -> crate::Result<Json> {
        json_of("the event", payload, &self.hub.inner.limits)
    }

    pub(crate) async fn raise_json(
        &self,
        name: &str,
        input: crate::Result<Json>,
    ) -> Result<(), ManageError> {
        check_name(name).map_err(ManageError::invalid_event)?;
        let input = input.map_err(ManageError::invalid_event)?;
        self.send_event(name, input, false).await
    }

    /// Sets the instance aside. What comes for it is recorded, running activities come to their
    /// end, and nothing else happens until it is [resumed](Self::resume). An attempt that fails
    /// meanwhile is judged by its [retry policy](crate::RetryPolicy) then, as of the time at which
    /// it failed.
    ///
    /// # Errors
    /// [`HubError::NoSuchInstance`], [`ManageError::Finished`]; never [`ManageError::NoRoom`]. One
    /// that is suspended already stays so.
    pub async fn suspend(&self, reason: impl Into<String>) -> Result<(), ManageError> {
        self.manage(Manage::Suspend { reason: reason.into() }).await
    }

    /// Resumes a suspended instance. If the runtime suspended it because its code did not fit, it
    /// is replayed with the current code.
    ///
    /// # Errors
    /// [`HubError::NoSuchInstance`], [`ManageError::Finished`]; [`ManageError::StillSuspended`] if
    /// its code still does not fit; [`ManageError::NoRoom`] while the disk is nearly full. One that is
    /// not suspended is unaffected.
    pub async fn resume(&self, reason: impl Into<String>) -> Result<(), ManageError> {
        self.manage(Manage::Resume { reason: reason.into() }).await
    }

    /// Ends the instance, whatever it waits for. Its activities see their [cancellation
    /// token](crate::ActivityContext::cancellation_token); its sub-orchestrations go on.
    ///
    /// # Errors
    /// [`HubError::NoSuchInstance`], [`ManageError::Finished`]; never [`ManageError::NoRoom`].
    #[doc(alias = "cancel")]
    pub async fn terminate(&self, reason: impl Into<String>) -> Result<(), ManageError> {
        self.manage(Manage::Terminate { reason: reason.into(), recurse: false }).await
    }

    /// Ends the instance, and all sub-orchestrations that it waits for, and theirs.
    ///
    /// # Errors
    /// As [`terminate`](Self::terminate).
    pub async fn terminate_recursively(
        &self,
        reason: impl Into<String>,
    ) -> Result<(), ManageError> {
        self.manage(Manage::Terminate { reason: reason.into(), recurse: true }).await
    }

    /// Tries again what made the instance fail, with all that had succeeded kept. The failures
    /// leave the history, and each task that is open then is under way again:
    ///
    /// * An activity runs again, from its first attempt if it had failed.
    /// * A sub-orchestration that has failed is rewound, and so on downwards. One that has
    ///   completed
    ///   meanwhile, because it was rewound before its parent, answers with its result. One that was
    ///   terminated, by the failure of its parent, by a time limit or by a client, or that was purged,
    ///   is started again from the beginning. One that is still running is waited for.
    /// * A call of an entity that had failed is made again.
    /// * A time limit ([`timeout`](crate::Call::timeout), [`durable::timeout`](crate::timeout),
    ///   [`retry_timeout`](crate::RetryPolicy::retry_timeout)) counts from the rewind. A timer keeps
    ///   its time, and is due at once if that has passed.
    /// * Nothing is done again that nobody waits for: signals, sent events, orchestrations that
    ///   were
    ///   [started](crate::OrchestrationContext::start) without waiting for them.
    ///
    /// What is done again gets the input that the code gives it now. An instance that failed by
    /// itself goes on if its code was mended.
    ///
    /// # Errors
    /// [`HubError::NoSuchInstance`], [`ManageError::NotFinished`], [`ManageError::NotFailed`];
    /// [`ManageError::CannotRewind`] if the orchestrator did other things after the failure, was in a
    /// critical section or waited for one, or had called an entity and had no answer: whether that
    /// was carried out cannot be known; [`ManageError::NoRoom`] while the disk is nearly full.
    pub async fn rewind(&self, reason: impl Into<String>) -> Result<(), ManageError> {
        self.manage(Manage::Rewind { reason: reason.into() }).await
    }

    /// Starts an instance that has ended again under the same id. Its history is removed.
    ///
    /// The new execution has the input of the last one. After
    /// [continue-as-new](crate::OrchestrationContext::continue_as_new) that is the input that was
    /// given to `continue_as_new`, not the one with which a client started the instance, because
    /// earlier executions are not kept.
    ///
    /// Sub-orchestrations of the removed execution stay, and
    /// [`purge_recursively`](Self::purge_recursively) does not find them any more. Purge the
    /// instance recursively and start it anew if they are not to stay.
    ///
    /// # Errors
    /// [`HubError::NoSuchInstance`]; [`ManageError::Start`] if it is running or
    /// the disk is nearly full.
    pub async fn restart(&self) -> Result<(), ManageError> {
        let request = self.request_again(self.instance_id.clone()).await?;
        self.hub.request_start(request).await.map_err(|error| ManageError::Start(Box::new(error)))
    }

    /// Starts an instance with the same input under another id and returns its handle.
    /// [`InstanceId::generate`] makes an id. The input is that of the last execution, as of
    /// [`restart`](Self::restart).
    ///
    /// # Errors
    /// [`HubError::NoSuchInstance`], [`ManageError::InvalidInstanceId`]; [`ManageError::Start`] if the
    /// id is taken or the disk is nearly full.
    pub async fn restart_as(&self, id: impl AsRef<str>) -> Result<Self, ManageError> {
        let instance_id = InstanceId::new(id)?;
        let request = self.request_again(instance_id.clone()).await?;
        let request = StartRequest { replaces: Vec::new(), ..request };
        let started = self.hub.request_start(request).await;
        started.map_err(|error| ManageError::Start(Box::new(error)))?;
        Ok(Self { hub: self.hub.clone(), instance_id })
    }

    /// Removes an instance that has ended, with its history. Its id may be used again.
    ///
    /// # Errors
    /// [`HubError::NoSuchInstance`], [`ManageError::NotFinished`]; never [`ManageError::NoRoom`].
    pub async fn purge(&self) -> Result<(), ManageError> {
        self.manage(Manage::Purge { child_of: None }).await
    }

    /// Removes an instance that has ended, all its sub-orchestrations that have ended, and theirs;
    /// returns how many were removed.
    ///
    /// An instance that only has the id of a sub-orchestration stays: one that a client started
    /// (the call then failed because the id was taken), one that another orchestration has started
    /// under that id since, and one that was started [without
    /// waiting](crate::OrchestrationContext::start). Sub-orchestrations that were started before
    /// the instance last [continued as new](crate::OrchestrationContext::continue_as_new) or was
    /// [restarted](Self::restart) stay, too, because it does not know them any more.
    ///
    /// # Errors
    /// As [`purge`](Self::purge).
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

    /// Adds the sub-orchestrations that the instance called, each with the call.
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

    /// Waits until the instance has begun: at once, unless it was
    /// [started for later](crate::Call::start_at).
    ///
    /// # Errors
    /// There is no such instance, or the hub stops before.
    pub async fn wait_for_start(&self) -> Result<(), HubError> {
        self.hub.check()?;
        let (reply, begun) = oneshot::channel();
        let instance_id = self.instance_id.clone();
        let mail = Mail::WaitForStart { instance_id, reply };
        self.hub.request(&self.instance_id, mail).await?;
        match begun.await {
            Ok(true) => Ok(()),
            Ok(false) => Err(HubError::NoSuchInstance(self.instance_id.clone())),
            Err(_gone) => Err(self.hub.error()),
        }
    }

    /// Waits until the instance has ended, or is suspended for its code; gives its status as of then,
    /// even if the hub's [retention](crate::client::TaskHubBuilder::retention) purges it at once.
    ///
    /// # Errors
    /// There is no such instance, or the hub stops before.
    pub async fn wait_for_completion(&self) -> Result<InstanceStatus, HubError> {
        Ok(self.ended().await?.record.into())
    }

    pub(crate) async fn ended(&self) -> Result<Box<Ended>, HubError> {
        self.hub.check()?;
        let (reply, ended) = oneshot::channel();
        let instance_id = self.instance_id.clone();
        self.hub.request(&self.instance_id, Mail::Wait { instance_id, reply }).await?;
        let ended = self.hub.passing_time(ended).await;
        let ended = ended.ok_or_else(|| self.hub.error())?;
        ended.ok_or_else(|| HubError::NoSuchInstance(self.instance_id.clone()))
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
