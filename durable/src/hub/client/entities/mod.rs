//! Client operations on entities: signal, call, read, delete.
//!
//! Read next: `query.rs` (queries and cleaning), `queue.rs` (what waits), `line.rs` (positions in a
//! queue), `resume.rs` (entities that are set aside), `scheduled.rs` (scheduled signals).

mod line;
mod query;
mod queue;
mod resume;
mod scheduled;

use serde::Serialize;
use tokio::sync::oneshot;

use super::reply::Reply;
use super::requests::NotSent;
use crate::entity::{
    DELETE, DynamicHandle, Entity, EntityHandle, EntityRef, InvalidOperation, Operation,
};
use crate::error::TaskFailed;
use crate::hub::error::{EntityError, HubError, Unreadable};
use crate::hub::mail::{EntityReply, Mail};
use crate::hub::task_hub::TaskHub;
use crate::orchestration::request::OperationRequest;
use crate::orchestration::{Called, When};
use crate::payload::Payload;
use crate::protocol::{
    EntityId, EntityState, EventKind, FailureDetails, InstanceRecord, Json, MessageId,
    ParentInstance, Suspension, TaskMessage, Timestamp,
};
use crate::store::{Store, StoreError};

pub use self::query::{CleanedEntities, EntityQuery};
pub use self::queue::{QueuedKind, QueuedRequest};
pub use self::scheduled::{ScheduledSignal, ScheduledSignalQuery};

/// An entity as of the last commit that changed it.
///
/// ```
/// use durable::client::EntityDetails;
///
/// /// Whether the entity has work to do, but runs nothing.
/// fn is_stuck(entity: &EntityDetails) -> bool {
///     entity.backlog > 0 && (entity.locked_by.is_some() || entity.suspension.is_some())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EntityDetails {
    /// The entity.
    pub entity_id: EntityId,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub last_modified: Timestamp,
    /// Its state; `None` if it has no state, or if the query omits states.
    pub state: Option<Json>,
    /// The orchestration whose critical section holds its lock.
    pub locked_by: Option<ParentInstance>,
    /// The number of messages in its queue.
    pub backlog: u64,
    /// When it was locked; `None` if it is not locked, or if release 0.1 locked it.
    pub locked_since: Option<Timestamp>,
    /// Why it runs no operation, if it is set aside ([DURABLE0106]). See
    /// [`TaskHub::resume_entity`].
    ///
    /// [DURABLE0106]: crate::guide::error_codes::DURABLE0106
    pub suspension: Option<Suspension>,
}

impl EntityDetails {
    fn new(entity_id: EntityId, record: &InstanceRecord, kept: EntityState) -> Self {
        let EntityState { state, locked_by, backlog, locked_since } = kept;
        let (created_at, last_modified) = (record.created_at, record.last_updated_at);
        let suspension = record.suspension.clone();
        Self {
            entity_id,
            created_at,
            last_modified,
            state,
            locked_by,
            backlog,
            locked_since,
            suspension,
        }
    }

    /// Deserializes the state into a `T`; `None` if the entity has no state.
    ///
    /// # Errors
    /// If the state is not a `T`.
    pub fn state_as<T: Payload>(&self) -> Result<Option<T>, Unreadable> {
        let unreadable =
            |error| Unreadable::new::<T>(format!("the state of `{}`", self.entity_id), error);
        self.state.as_ref().map(Json::read).transpose().map_err(unreadable)
    }
}

impl TaskHub {
    /// Signals an entity: requests an operation without waiting for its result. When the returned
    /// future completes, the signal is durable and will be carried out exactly once.
    ///
    /// Signals sent one after another by one client to one entity are carried out in that order. An
    /// error of the operation is only logged.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use serde::{Serialize, Deserialize};
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct Counter(i64);
    ///
    /// #[entity]
    /// impl Counter {
    ///     fn add(&mut self, n: i64) -> i64 {
    ///         self.0 += n;
    ///         self.0
    ///     }
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TaskHub::builder().in_memory().open().await?;
    /// hub.signal_entity(Counter::at("visits").add(1)).await?;
    /// assert_eq!(hub.call_entity(Counter::at("visits").add(1)).await?, 2);
    /// let counter = hub.entity_state::<Counter>("visits").await?;
    /// assert_eq!(counter.map(|counter| counter.0), Some(2));
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`EntityError::InvalidOperation`] if the key breaks a rule or the input has no JSON form or
    /// is too large, [`EntityError::NotRegistered`] if this hub does not know the entity,
    /// [`EntityError::NoRoom`] while the disk is nearly full.
    pub fn signal_entity<T, E>(
        &self,
        operation: Operation<T, E>,
    ) -> Reply<Result<(), EntityError>> {
        self.signal(operation.into_request(), None)
    }

    /// Signals an entity at a later time, given as a delay or a time. Until then a
    /// [`ScheduledSignalQuery`] finds the signal, and
    /// [`cancel_scheduled_signal`](Self::cancel_scheduled_signal) cancels it.
    ///
    /// ```
    /// # use durable::TaskHub;
    /// use durable::EntityId;
    /// use durable::client::EntityError;
    /// use std::time::Duration;
    ///
    /// /// Resets a counter tomorrow.
    /// async fn reset(hub: &TaskHub, counter: EntityId) -> Result<(), EntityError> {
    ///     let reset = counter.handle().operation::<()>("reset", &());
    ///     hub.signal_entity_at(Duration::from_secs(24 * 3_600), reset).await
    /// }
    /// ```
    ///
    /// # Errors
    /// The same as [`signal_entity`](Self::signal_entity).
    pub fn signal_entity_at<T, E>(
        &self,
        when: impl When,
        operation: Operation<T, E>,
    ) -> Reply<Result<(), EntityError>> {
        self.signal(operation.into_request(), Some(when.due().from(self.now())))
    }

    fn signal(
        &self,
        asked: Result<OperationRequest, InvalidOperation>,
        at: Option<Timestamp>,
    ) -> Reply<Result<(), EntityError>> {
        let hub = self.clone();
        Reply::new(async move {
            let asked = hub.accepted(asked)?;
            let (reply, stored) = oneshot::channel();
            hub.operate(asked, at, EntityReply::Signalled(reply.into())).await?;
            Ok(hub.replied(stored).await?)
        })
    }

    /// Calls an operation of an entity and waits for its result. Its changes are durable by then.
    ///
    /// If a crash interrupts the call, the operation may or may not have been carried out, but
    /// never twice. An orchestration that calls an entity always receives the result.
    ///
    /// The call waits for all earlier messages of the entity, and for a critical section that holds
    /// its lock. So it never completes if made from an operation of the same entity, or from an
    /// activity that such a critical section waits for.
    ///
    /// ```
    /// # use durable::TaskHub;
    /// use durable::EntityId;
    /// use durable::client::EntityError;
    ///
    /// async fn add(hub: &TaskHub, counter: EntityId) -> Result<i64, EntityError> {
    ///     hub.call_entity(counter.handle().operation("add", &1)).await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`EntityError::Failed`] if the operation failed or panicked, and left no changes; otherwise
    /// the same as [`signal_entity`](Self::signal_entity).
    pub fn call_entity<T: 'static, E: 'static>(
        &self,
        operation: Operation<T, E>,
    ) -> Reply<Result<T, EntityError<E>>> {
        let hub = self.clone();
        let (output, error) = operation.codecs();
        let asked = operation.into_request();
        Reply::new(async move {
            let asked = hub.accepted(asked)?;
            let called = Called::Operation(asked.entity_id.clone(), asked.operation.clone());
            let (reply, answer) = oneshot::channel();
            hub.operate(asked, None, EntityReply::Called(reply.into())).await?;
            let answer = hub.passing_time(answer).await.unwrap_or_else(|| Err(hub.error()))?;
            let json = answer.map_err(|details| {
                EntityError::Failed(TaskFailed::new(called.to_string(), details, error))
            })?;
            output.decode(&json).map_err(|error| {
                Unreadable::new::<T>(format!("the result of {called}"), error).into()
            })
        })
    }

    /// Deletes an entity as its next operation: when the returned future completes, the entity has
    /// no state. Later messages find it as if it had never existed.
    ///
    /// If the entity is a function or has an operation `delete`, that code runs instead. An entity
    /// whose state cannot be read is deleted all the same.
    ///
    /// ```
    /// # use durable::TaskHub;
    /// use durable::EntityId;
    /// use durable::client::EntityError;
    ///
    /// async fn forget(hub: &TaskHub, customer: EntityId) -> Result<(), EntityError> {
    ///     hub.delete_entity(customer.handle()).await
    /// }
    /// ```
    ///
    /// # Errors
    /// The same as [`call_entity`](Self::call_entity), except that no call or signal of an
    /// operation `delete` is rejected while the disk is nearly full.
    #[expect(clippy::needless_pass_by_value, reason = "a handle is made where it is given")]
    pub fn delete_entity(&self, entity: impl EntityHandle) -> Reply<Result<(), EntityError>> {
        let handle = DynamicHandle::new(entity.entity().clone());
        let hub = self.clone();
        Reply::new(async move {
            match hub.call_entity(handle.operation::<()>(DELETE, &())).await {
                // An operation of that name has no state to begin with; a signal does without.
                Err(EntityError::Failed(failed))
                    if failed.details().error_type == FailureDetails::INVALID_STATE =>
                {
                    hub.signal_entity(handle.operation::<()>(DELETE, &())).await
                }
                deleted => deleted,
            }
        })
    }

    /// Returns the state of an entity as of its last commit; `None` if it has no state.
    ///
    /// ```
    /// # use durable::TaskHub;
    /// use durable::client::EntityError;
    ///
    /// async fn exists<E: durable::Entity>(hub: &TaskHub, key: &str) -> Result<bool, EntityError> {
    ///     Ok(hub.entity_state::<E>(key).await?.is_some())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`EntityError::InvalidOperation`] if the key is invalid, [`EntityError::Unreadable`] if the
    /// state is not an `E`, [`EntityError::Hub`] if the hub was shut down or its store failed.
    pub async fn entity_state<E: Entity>(
        &self,
        key: impl AsRef<str>,
    ) -> Result<Option<E::State>, EntityError> {
        let entity = EntityRef::new::<E>(key);
        let id = entity.id().map_err(InvalidOperation::from)?;
        let Some(details) = self.entity(id).await? else { return Ok(None) };
        let Some(state) = details.state else { return Ok(None) };
        let state = E::state_codec().decode(&state);
        state.map(Some).map_err(|error| {
            Unreadable::new::<E::State>(format!("the state of `{id}`"), error).into()
        })
    }

    /// Returns the entity with its metadata; `None` if it is not stored.
    ///
    /// ```
    /// # use durable::TaskHub;
    /// use durable::EntityId;
    /// use durable::client::HubError;
    ///
    /// async fn backlog(hub: &TaskHub, entity: &EntityId) -> Result<u64, HubError> {
    ///     Ok(hub.entity(entity).await?.map_or(0, |entity| entity.backlog))
    /// }
    /// ```
    ///
    /// # Errors
    /// If the hub was shut down, or its store failed.
    pub async fn entity(&self, entity_id: &EntityId) -> Result<Option<EntityDetails>, HubError> {
        let id = entity_id.clone();
        self.read(move |store| {
            let Some(record) = store.instance(id.instance_id())? else { return Ok(None) };
            details(store, &record)
        })
        .await
    }

    /// Returns the request if this hub accepts it.
    fn accepted<E>(
        &self,
        asked: Result<OperationRequest, InvalidOperation>,
    ) -> Result<OperationRequest, EntityError<E>> {
        self.check()?;
        let asked = asked?;
        let size = asked.input.as_str().len();
        let checked = self.inner.limits.check_payload("the input", size);
        checked.map_err(InvalidOperation::from)?;
        let name = asked.entity_id.name();
        if self.inner.registry.entity(name).is_none()
            && !asked.operation.eq_ignore_ascii_case(DELETE)
        {
            let registered = self.inner.registry.entity_names();
            return Err(EntityError::NotRegistered { name: name.to_owned(), registered });
        }
        Ok(asked)
    }

    async fn operate(
        &self,
        asked: OperationRequest,
        at: Option<Timestamp>,
        reply: EntityReply,
    ) -> Result<(), NotSent> {
        let OperationRequest { entity_id, operation, input } = asked;
        let (id, operation) = (entity_id.instance_id().clone(), operation.into_owned());
        let event = match reply {
            EntityReply::Called(_) => {
                let (source, critical_section) = (None, None);
                EventKind::EntityOperationCalled {
                    entity_id,
                    operation,
                    input,
                    source,
                    critical_section,
                }
            }
            EntityReply::Signalled(_) => EventKind::EntityOperationSignaled {
                entity_id,
                operation,
                input,
                scheduled_time: at,
                source: None,
            },
        };
        let message = Box::new(TaskMessage {
            id: MessageId::generate(),
            instance_id: id.clone(),
            execution_id: None,
            from: None,
            event,
        });
        self.request(&id, Mail::Operate { message, reply }).await
    }
}

/// Converts a stored record of an entity.
fn details(
    store: &dyn Store,
    record: &InstanceRecord,
) -> Result<Option<EntityDetails>, StoreError> {
    let Some(entity_id) = record.instance_id.entity() else { return Ok(None) };
    let history = store.history(&record.instance_id, record.execution_id, 0)?;
    Ok(history.into_iter().rev().find_map(|event| match event.kind {
        EventKind::EntityState(kept) => Some(EntityDetails::new(entity_id.clone(), record, *kept)),
        _ => None,
    }))
}
