//! Handles: an entity by its id, on which operations are called.

use std::panic::Location;

use serde::Serialize;

use super::entity_ref::EntityRef;
use super::operation::{LockedOperation, Operation};
use crate::error::Error;
use crate::payload::{InvalidPayload, Payload, payload};
use crate::protocol::{EntityId, InvalidEntityId, Json};

/// A handle of an entity: what `at(key)` returns. The attribute [`#[entity]`](macro@crate::entity)
/// generates a handle type with a method for each operation.
///
/// ```
/// use durable::EntityId;
/// use durable::entity::EntityHandle;
///
/// /// Takes any handle: one that an attribute generated, or `EntityId::handle`.
/// fn key_of(entity: &impl EntityHandle) -> Option<&str> {
///     entity.entity_id().ok().map(EntityId::key)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an entity handle",
    label = "pass the handle that `at(key)` returns, such as `Account::at(\"a\")`",
    note = "a critical section locks one entity, or a tuple, an array or a `Vec` of entities \
            (rule 7: at least one)"
)]
pub trait EntityHandle {
    /// The same entity, once a critical section has locked it.
    type Locked;

    #[doc(hidden)]
    fn entity(&self) -> &EntityRef;

    #[doc(hidden)]
    fn locked(self) -> Self::Locked;

    /// Returns the entity's id.
    ///
    /// # Errors
    /// If the key is invalid; see [`EntityId`].
    fn entity_id(&self) -> Result<&EntityId, InvalidEntityId> {
        self.entity().id()
    }
}

/// A handle of an entity whose operations are called by name: for an entity that is a function, or
/// for an [`EntityId`] whose type is not known here.
///
/// ```
/// # use durable::prelude::*;
/// use durable::entity::EntityHandle;
/// use durable::EntityId;
///
/// #[orchestrator]
/// async fn count(ctx: &OrchestrationContext, which: EntityId) -> Result<i64> {
///     which.handle().operation::<()>("add", &5).signal()?;
///     Ok(which.handle().operation("get", &()).await?)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamicHandle(EntityRef);

/// A [`DynamicHandle`] whose entity a critical section has locked.
///
/// ```
/// # use durable::prelude::*;
/// # use durable::EntityId;
/// #[orchestrator]
/// async fn reset(ctx: &OrchestrationContext, counter: EntityId) -> Result<i64> {
///     let mut counter = ctx.lock_entities(counter.handle()).await?;
///     let last = counter.operation("get", &()).await?;
///     counter.operation::<()>("set", &0).await?; // nothing happened in between
///     Ok(last)
/// }
/// ```
#[derive(Debug)]
pub struct DynamicLocked(EntityRef);

impl DynamicHandle {
    #[doc(hidden)]
    pub fn new(entity: EntityRef) -> Self {
        Self(entity)
    }

    /// Returns an operation with its input. The result is read as a `T`.
    #[track_caller]
    pub fn operation<T: Payload>(
        &self,
        name: &str,
        input: &(impl Serialize + ?Sized),
    ) -> Operation<T, Error> {
        dynamic(&self.0, name, input)
    }

    /// Returns an operation whose input and result are JSON.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use durable::EntityId;
    /// use durable::protocol::Json;
    ///
    /// # async fn go_on(hub: TaskHub) -> Result<()> {
    /// let counter = EntityId::new("counter", "visits")?.handle();
    /// hub.signal_entity(counter.operation_json("add", Json::parse("5")?)).await?;
    /// let count: Json = hub.call_entity(counter.operation_json("get", Json::null())).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn operation_json(&self, name: &str, input: Json) -> Operation<Json, Error> {
        let codecs = (payload(), crate::error::task_error());
        let input = input.checked(&format!("the input of `{name}`"));
        Operation::new(&self.0, name.to_owned().into(), input, codecs, Location::caller())
    }
}

impl DynamicLocked {
    /// Returns an operation with its input. The result is read as a `T`.
    #[track_caller]
    pub fn operation<T: Payload>(
        &mut self,
        name: &str,
        input: &(impl Serialize + ?Sized),
    ) -> LockedOperation<'_, T, Error> {
        LockedOperation::new(dynamic(&self.0, name, input))
    }
}

#[track_caller]
fn dynamic<T: Payload>(
    entity: &EntityRef,
    name: &str,
    input: &(impl Serialize + ?Sized),
) -> Operation<T, Error> {
    let input = serde_json::to_string(input).map(Json::trusted);
    let input =
        input.map_err(|error| InvalidPayload::no_json(format!("the input of `{name}`"), error));
    let codecs = (payload(), crate::error::task_error());
    Operation::new(entity, name.to_owned().into(), input, codecs, Location::caller())
}

impl EntityHandle for DynamicHandle {
    type Locked = DynamicLocked;

    fn entity(&self) -> &EntityRef {
        &self.0
    }

    fn locked(self) -> DynamicLocked {
        DynamicLocked(self.0)
    }
}

impl EntityId {
    /// Returns a handle of this entity, on which operations are called by name.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use durable::EntityId;
    /// use durable::client::EntityError;
    ///
    /// async fn read(hub: &TaskHub, counter: EntityId) -> Result<i64, EntityError> {
    ///     hub.call_entity(counter.handle().operation("get", &())).await
    /// }
    /// ```
    pub fn handle(&self) -> DynamicHandle {
        DynamicHandle(self.clone().into())
    }
}
