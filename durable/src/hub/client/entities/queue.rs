//! What waits in the queue of an entity.

use serde::Serialize;

use crate::hub::error::HubError;
use crate::hub::task_hub::TaskHub;
use crate::protocol::{EntityId, EventKind, ParentInstance, PartitionId, TaskMessage};

/// A request that an entity has not handled yet; see [`TaskHub::entity_queue`].
///
/// ```
/// # use durable::{EntityId, TaskHub};
/// /// Prints what the entity does next.
/// async fn print_queue(hub: &TaskHub, entity: &EntityId) -> durable::Result<()> {
///     for request in hub.entity_queue(entity, 10).await? {
///         println!("{:?} {}", request.kind, request.operation.as_deref().unwrap_or("(lock)"));
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QueuedRequest {
    /// What is requested.
    pub kind: QueuedKind,
    /// The operation; `None` for a lock.
    pub operation: Option<String>,
    /// The orchestration that sent the request, with the `event_id` of the request; `None` if a
    /// client or an entity sent it, and for a signal.
    pub from: Option<ParentInstance>,
}

/// The kind of a [`QueuedRequest`].
///
/// ```
/// use durable::client::{QueuedKind, QueuedRequest};
///
/// /// The number of senders that wait for an answer.
/// fn waiting(queue: &[QueuedRequest]) -> usize {
///     queue.iter().filter(|request| request.kind != QueuedKind::Signal).count()
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum QueuedKind {
    /// An operation whose sender waits for the result.
    Call,
    /// An operation whose sender does not wait.
    Signal,
    /// A critical section that waits for the lock.
    Lock,
}

impl TaskHub {
    /// Returns the first `limit` stored requests that an entity has not handled, in the order of
    /// their arrival: those that wait for its lock, and those after them.
    ///
    /// Calls by clients of this process are kept in memory and are not listed, nor are signals that
    /// are not due yet.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use durable::EntityId;
    /// use durable::client::QueuedKind;
    ///
    /// # async fn go_on(hub: TaskHub) -> Result<()> {
    /// let account = EntityId::new("account", "c-88213")?;
    /// for request in hub.entity_queue(&account, 100).await? {
    ///     if let (QueuedKind::Lock, Some(from)) = (request.kind, request.from) {
    ///         println!("{} waits for the lock", from.instance_id);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the hub was shut down, or its store failed.
    pub async fn entity_queue(
        &self,
        entity_id: &EntityId,
        limit: usize,
    ) -> Result<Vec<QueuedRequest>, HubError> {
        let id = entity_id.instance_id().clone();
        let partition = PartitionId::of(&id, self.partitions());
        let messages = self
            .read(move |store| store.messages(partition, Some(&id), 0..u64::MAX, limit))
            .await?;
        let messages: Vec<_> = messages.into_iter().map(|(_, message)| message).collect();
        Ok(messages.iter().filter_map(|message| request(message, &messages)).collect())
    }
}

fn request(message: &TaskMessage, all: &[TaskMessage]) -> Option<QueuedRequest> {
    let (kind, operation) = match &message.event {
        EventKind::EntityOperationCalled { operation, .. } => (QueuedKind::Call, Some(operation)),
        EventKind::EntityOperationSignaled { operation, .. } => {
            (QueuedKind::Signal, Some(operation))
        }
        // A request whose section has ended before its turn never gets the lock.
        EventKind::EntityLockRequested { .. } if !has_ended(message, all) => {
            (QueuedKind::Lock, None)
        }
        _ => return None,
    };
    let from = message.from.as_deref().cloned();
    Some(QueuedRequest { kind, operation: operation.cloned(), from })
}

fn has_ended(request: &TaskMessage, all: &[TaskMessage]) -> bool {
    let section = |message: &TaskMessage| {
        message.from.as_ref().map(|from| (from.execution_id, from.task_scheduled_id))
    };
    all.iter().any(|message| {
        matches!(message.event, EventKind::EntityUnlockSent { .. })
            && section(message) == section(request)
    })
}
