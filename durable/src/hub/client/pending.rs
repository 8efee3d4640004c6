//! What an instance waits for now.

use std::collections::BTreeSet;

use serde::Serialize;
use tokio::sync::oneshot;

use super::entities::EntityDetails;
use super::instance::InstanceHandle;
use super::status::InstanceStatus;
use crate::hub::error::HubError;
use crate::hub::mail::Mail;
use crate::protocol::{
    EntityId, EventKind, EventWait, ExecutionId, Pending, PendingKind, PendingTask,
};

/// What an instance waits for; see [`InstanceHandle::pending`].
///
/// ```
/// use durable::client::{HubError, InstanceHandle};
///
/// /// Prints why an instance is stuck.
/// async fn print(instance: &InstanceHandle) -> Result<(), HubError> {
///     let pending = instance.pending().await?;
///     for task in &pending.tasks {
///         println!("{}: {:?} since {}", task.source, task.kind, task.since);
///     }
///     for name in &pending.awaited_events {
///         println!("waits for the event {name}");
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PendingWork {
    /// The status of the instance. If the instance is suspended, that is why it does not continue.
    pub status: InstanceStatus,
    /// The calls, timers and lock requests that have no result, in the order of their requests.
    /// Tasks that the orchestrator has dropped are not listed.
    pub tasks: Vec<PendingTask>,
    /// The names of the external events that it waits for, in lower case because names are compared
    /// without regard to case. A name is listed once for each wait.
    pub awaited_events: Vec<String>,
    /// The waits for these events, in the same order.
    pub event_waits: Vec<EventWait>,
    /// The names of the external events that have arrived and that it has not read, in the order in
    /// which they arrived.
    pub unread_events: Vec<String>,
    /// The entities that it has locked.
    pub locked_entities: Vec<EntityId>,
    /// The entities that its tasks wait for, without their states: which critical section holds the
    /// lock of each, since when, and how many messages are in its queue. An entity that is not stored
    /// is absent. If the tasks wait for more than 100 entities, only the first 100 are listed, and
    /// only requests to these have a position.
    pub awaited_entities: Vec<EntityDetails>,
}

/// The most entities that are looked up for an instance.
const ENTITIES_MAX: usize = 100;

impl InstanceHandle {
    /// Returns what the instance waits for now, to find out why it does not continue: activities
    /// with their attempts, timers, events, sub-orchestrations, entities and locks, each with its
    /// source location.
    ///
    /// The answer comes from the orchestrator, which is replayed if the instance is not in memory.
    /// The answer is empty if the instance has ended or is
    /// [pending](crate::RuntimeStatus::Pending), or if its code does not fit its history.
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
    /// let run = hub.start(approval()).await?;
    /// run.raise_event("Aproval", &true).await?;
    /// let pending = run.pending().await?;
    /// assert_eq!(pending.awaited_events, ["approval"]);
    /// assert_eq!(pending.unread_events, ["Aproval"]);
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the instance does not exist, or the hub has stopped.
    pub async fn pending(&self) -> Result<PendingWork, HubError> {
        self.hub.check()?;
        let (reply, pending) = oneshot::channel();
        let instance_id = self.instance_id.clone();
        self.hub
            .request(&self.instance_id, Mail::Pending { instance_id, reply: reply.into() })
            .await?;
        let pending = self.hub.replied(pending).await?;
        let Pending { mut tasks, awaited_events, unread_events, locked_entities, event_waits } =
            *pending.ok_or_else(|| HubError::NoSuchInstance(self.instance_id.clone()))?;
        let (status, history) = self.status_and_history().await?;
        for event in history {
            if let EventKind::TaskAttemptFailed { task_scheduled_id, attempt, failure, .. } =
                &event.kind
                && let Some(task) = tasks.iter_mut().find(|it| it.event_id == *task_scheduled_id)
            {
                task.note_failure(*attempt, failure);
            }
        }
        let awaited_entities = self.awaited_entities(&tasks).await?;
        let execution_id = status.execution_id;
        for task in &mut tasks {
            self.find_position(task, execution_id, &awaited_entities).await?;
        }
        Ok(PendingWork {
            status,
            tasks,
            awaited_events,
            event_waits,
            unread_events,
            locked_entities,
            awaited_entities,
        })
    }

    async fn awaited_entities(
        &self,
        tasks: &[PendingTask],
    ) -> Result<Vec<EntityDetails>, HubError> {
        let mut ids = BTreeSet::new();
        for task in tasks {
            match &task.kind {
                PendingKind::EntityCall { entity_id, .. } => ids.extend([entity_id]),
                PendingKind::Lock { entities, .. } => ids.extend(entities),
                PendingKind::Activity { .. }
                | PendingKind::SubOrchestration { .. }
                | PendingKind::Timer => {}
            }
        }
        let mut entities = Vec::new();
        for id in ids.into_iter().take(ENTITIES_MAX) {
            let details = self.hub.entity(id).await?;
            entities.extend(details.map(|details| EntityDetails { state: None, ..details }));
        }
        Ok(entities)
    }

    /// Finds the position of a lock request or an entity call in the queue of its entity.
    async fn find_position(
        &self,
        task: &mut PendingTask,
        execution_id: ExecutionId,
        entities: &[EntityDetails],
    ) -> Result<(), HubError> {
        let request = (execution_id, task.event_id);
        let find = |id: &EntityId| entities.iter().find(|it| it.entity_id == *id);
        let is_locked = |id: &EntityId| {
            let holder = find(id).and_then(|entity| entity.locked_by.as_ref());
            holder.is_some_and(|it| (it.execution_id, it.task_scheduled_id) == request)
        };
        let (id, position) = match &mut task.kind {
            PendingKind::EntityCall { entity_id, position, .. } => (&*entity_id, position),
            PendingKind::Lock { entities, waits_for, position } => {
                *waits_for = entities.iter().find(|id| !is_locked(id)).cloned();
                let Some(id) = waits_for else { return Ok(()) };
                (&*id, position)
            }
            PendingKind::Activity { .. }
            | PendingKind::SubOrchestration { .. }
            | PendingKind::Timer => return Ok(()),
        };
        if let Some(entity) = find(id) {
            let holder = entity.locked_by.as_ref();
            *position = self.hub.position_in_queue(id, request, holder).await?;
        }
        Ok(())
    }
}
