//! An operation as a value: created by an entity's handle, then called or signaled.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::entity_ref::EntityRef;
use crate::error::{Error, ErrorCodec, Result};
use crate::orchestration::request::{Ask, OperationRequest, Request};
use crate::orchestration::scope::Scope;
use crate::orchestration::{Called, Durable, Task, When};
use crate::payload::{Codec, InputWriter, InvalidPayload};
use crate::protocol::{FailureDetails, InvalidEntityId, Json, Timestamp};

/// An operation of an entity with its input, which has not been requested yet.
///
/// An orchestrator awaits the operation, which *calls* the entity and waits for the result, or
/// [signals](Self::signal) it, which does not wait. A client passes the operation to
/// [`TaskHub::call_entity`](crate::TaskHub::call_entity) or
/// [`TaskHub::signal_entity`](crate::TaskHub::signal_entity), and an entity passes it to
/// [`EntityContext::signal`](crate::EntityContext::signal). Nothing happens before that.
///
/// Dropping a call that was requested does not cancel it: the entity carries it out, and the result
/// is discarded.
///
/// ```
/// # use durable::prelude::*;
/// # use durable::EntityId;
/// #[orchestrator]
/// async fn add(ctx: &OrchestrationContext, counter: EntityId) -> Result<i64> {
///     let counter = counter.handle();
///     counter.operation::<()>("add", &1).signal()?; // does not wait
///     Ok(counter.operation("get", &()).await?) // a call, which waits for the result
/// }
/// ```
#[must_use = "an operation does nothing until it is awaited or signalled"]
pub struct Operation<T, E = Error> {
    asked: Result<OperationRequest, InvalidOperation>,
    name: Cow<'static, str>,
    source: &'static Location<'static>,
    codecs: (Codec<T>, ErrorCodec<E>),
}

impl<T, E> Clone for Operation<T, E> {
    fn clone(&self) -> Self {
        let Self { asked, name, source, codecs } = self;
        Self { asked: asked.clone(), name: name.clone(), source, codecs: *codecs }
    }
}

/// The error returned when an operation cannot be requested.
///
/// ```
/// use durable::client::{EntityError, InvalidOperation};
///
/// /// Whether an operation failed because of its key.
/// fn has_invalid_key(error: &EntityError) -> bool {
///     matches!(error, EntityError::InvalidOperation(InvalidOperation::EntityId(_)))
/// }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidOperation {
    /// The key of the entity breaks a rule.
    #[error(transparent)]
    EntityId(#[from] InvalidEntityId),
    /// The input cannot be stored.
    #[error(transparent)]
    Input(#[from] Box<InvalidPayload>),
}

impl InvalidOperation {
    /// The failure of the operation, as it is recorded.
    pub(crate) fn failure(&self) -> FailureDetails {
        let message = match self {
            Self::EntityId(invalid) => invalid.to_string(),
            Self::Input(invalid) => invalid.recorded(),
        };
        FailureDetails::new(FailureDetails::INVALID_INPUT, message).non_retriable()
    }
}

/// Creates the operation of an entity that a handle's method returns.
#[doc(hidden)]
#[track_caller]
pub fn operation<T, E>(
    entity: &EntityRef,
    name: &'static str,
    input: InputWriter,
    codecs: (Codec<T>, ErrorCodec<E>),
) -> Operation<T, E> {
    Operation::new(entity, name.into(), input.finish(), codecs, Location::caller())
}

/// Creates the operation of a locked entity that a handle's method returns.
#[doc(hidden)]
#[track_caller]
pub fn locked_operation<'a, T, E>(
    entity: &'a mut EntityRef,
    name: &'static str,
    input: InputWriter,
    codecs: (Codec<T>, ErrorCodec<E>),
) -> LockedOperation<'a, T, E> {
    LockedOperation::new(operation(entity, name, input, codecs))
}

impl<T, E> Operation<T, E> {
    pub(crate) fn new(
        entity: &EntityRef,
        name: Cow<'static, str>,
        input: Result<Json, Box<InvalidPayload>>,
        codecs: (Codec<T>, ErrorCodec<E>),
        source: &'static Location<'static>,
    ) -> Self {
        let asked = entity.id().map_err(InvalidOperation::from).and_then(|id| {
            let (entity_id, operation) = (id.clone(), name.clone());
            Ok(OperationRequest { entity_id, operation, input: input? })
        });
        Self { asked, name, source, codecs }
    }

    /// Signals the entity from an orchestrator, without waiting for a result. An error of the
    /// operation is only logged.
    ///
    /// # Errors
    /// If the caller is not an orchestrator, the key is invalid, the input has no JSON form or is
    /// too large, or a critical section has locked the entity (rule 5). Nothing is sent then.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use serde::{Serialize, Deserialize};
    /// # #[derive(Default, Serialize, Deserialize)]
    /// # struct Counter(i64);
    /// # #[entity]
    /// # impl Counter { fn add(&mut self, n: i64) { self.0 += n } }
    /// #[orchestrator]
    /// async fn visit(ctx: &OrchestrationContext, page: String) -> Result<()> {
    ///     Counter::at(page).add(1).signal()?;
    ///     Ok(())
    /// }
    /// ```
    pub fn signal(self) -> Result<()> {
        self.send(|_| None)
    }

    /// Like [`signal`](Self::signal), but the signal is delivered later: after a duration, or at a
    /// point in time.
    ///
    /// Delayed signals are not ordered with other signals.
    ///
    /// # Errors
    /// The same as [`signal`](Self::signal).
    pub fn signal_at(self, when: impl When) -> Result<()> {
        let due = when.due();
        self.send(|now| Some(due.from(now)))
    }

    fn send(self, at: impl FnOnce(Timestamp) -> Option<Timestamp>) -> Result<()> {
        let Some(scope) = Scope::current() else {
            return Err(Error::msg(format!(
                "operation `{}` was signalled outside of an orchestrator, where nothing would be \
                 recorded; a client writes `hub.signal_entity(..)`, an entity `ctx.signal(..)`",
                self.name
            )));
        };
        let asked = self.asked.map_err(|invalid| Error::from(invalid.failure()))?;
        let (source, at) = (self.source, at(scope.clock()));
        let request = Request { ask: Ask::SignalEntity { asked, at }, source };
        if let Some(refused) = scope.refuses(&request) {
            return Err(refused.into());
        }
        scope.request(Box::new(request));
        Ok(())
    }

    /// Starts the call now, to be awaited later.
    pub fn spawn(self) -> Task<T, E> {
        let mut task = self.into_future();
        task.schedule();
        task
    }

    /// The request, for callers other than orchestrators.
    pub(crate) fn into_request(self) -> Result<OperationRequest, InvalidOperation> {
        self.asked
    }

    pub(crate) fn codecs(&self) -> (Codec<T>, ErrorCodec<E>) {
        self.codecs
    }
}

impl<T, E> IntoFuture for Operation<T, E> {
    type Output = <Task<T, E> as Future>::Output;
    type IntoFuture = Task<T, E>;

    fn into_future(self) -> Task<T, E> {
        let called = match &self.asked {
            Ok(asked) => Called::Operation(asked.entity_id.clone(), self.name),
            Err(_) => Called::Function("operation", self.name),
        };
        let source = self.source;
        let request = self
            .asked
            .map(|asked| Request { ask: Ask::CallEntity { asked, section: None }, source })
            .map_err(|invalid| invalid.failure());
        Task::new(called, request, self.codecs)
    }
}

#[diagnostic::do_not_recommend]
impl<T, E> Durable for Operation<T, E> {}
#[diagnostic::do_not_recommend]
impl<T, E> Durable for LockedOperation<'_, T, E> {}
#[diagnostic::do_not_recommend]
impl<T, E> Durable for LockedTask<'_, T, E> {}

impl<T, E> fmt::Debug for Operation<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.asked {
            Ok(asked) => write!(f, "Operation({} of {})", self.name, asked.entity_id),
            Err(invalid) => write!(f, "Operation({}, {invalid})", self.name),
        }
    }
}

/// An operation of an entity that a critical section has locked. It can only be awaited (rule 5).
/// It borrows the entity until it is done, so only one operation of the entity can be in flight
/// (rule 4).
///
/// ```
/// # use durable::prelude::*;
/// # use durable::EntityId;
/// #[orchestrator]
/// async fn double(ctx: &OrchestrationContext, counter: EntityId) -> Result<()> {
///     let mut counter = ctx.lock_entities(counter.handle()).await?;
///     let value: i64 = counter.operation("get", &()).await?; // each `operation` is one of these
///     Ok(counter.operation("set", &(2 * value)).await?)
/// }
/// ```
#[must_use = "an operation does nothing until it is awaited"]
pub struct LockedOperation<'a, T, E = Error> {
    operation: Operation<T, E>,
    entity: PhantomData<&'a mut ()>,
}

impl<T, E> LockedOperation<'_, T, E> {
    pub(crate) fn new(operation: Operation<T, E>) -> Self {
        Self { operation, entity: PhantomData }
    }

    /// Cannot be called: it exists so that an attempt reports the error of rule 5.
    #[doc(hidden)]
    pub fn signal(self) -> Result<()>
    where
        Self: SignalsUnlocked,
    {
        self.operation.signal()
    }
}

/// Rule 5: an operation of an entity that no critical section has locked.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "rule 5: inside a critical section, do not signal an entity that it has locked",
    label = "its entity is locked here",
    note = "await the operation instead, or signal the entity before or after the critical \
            section"
)]
pub trait SignalsUnlocked {}

impl<'a, T, E> IntoFuture for LockedOperation<'a, T, E> {
    type Output = <Task<T, E> as Future>::Output;
    type IntoFuture = LockedTask<'a, T, E>;

    fn into_future(self) -> LockedTask<'a, T, E> {
        LockedTask { task: self.operation.into_future(), entity: PhantomData }
    }
}

impl<T, E> fmt::Debug for LockedOperation<'_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Locked{:?}", self.operation)
    }
}

/// The future of a [`LockedOperation`].
///
/// ```
/// # use durable::prelude::*;
/// # use durable::EntityId;
/// use std::future::IntoFuture;
/// use std::time::Duration;
///
/// #[orchestrator]
/// async fn read(ctx: &OrchestrationContext, counter: EntityId) -> Result<Option<i64>> {
///     let mut counter = ctx.lock_entities(counter.handle()).await?;
///     let reading = counter.operation("get", &()).into_future();
///     Ok(durable::timeout(Duration::from_secs(5), reading).await.ok().transpose()?)
/// }
/// ```
#[must_use = "an operation does nothing until it is awaited"]
pub struct LockedTask<'a, T, E> {
    task: Task<T, E>,
    entity: PhantomData<&'a mut ()>,
}

impl<T, E> Future for LockedTask<'_, T, E> {
    type Output = <Task<T, E> as Future>::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.task).poll(cx)
    }
}

impl<T, E> fmt::Debug for LockedTask<'_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Locked{:?}", self.task)
    }
}
