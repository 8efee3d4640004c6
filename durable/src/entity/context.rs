//! The context of an entity's operation: its identity, and its effects once it has succeeded.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::Operation;
use super::batch::{BatchContext, DELETE, Outgoing};
use crate::activity::States;
use crate::call::{Call, CallUse};
use crate::definition::Orchestrator;
use crate::error::{Error, Result};
use crate::orchestration::request::Ask;
use crate::orchestration::{When, json_of};
use crate::payload::InvalidPayload;
use crate::protocol::{
    EntityId, ExecutionId, ExecutionStarted, FailureDetails, InstanceId, Json, Timestamp,
};

/// The context of a running operation: its entity and name, and the messages that it sends.
///
/// Take it as a parameter, `ctx: &EntityContext`, if the operation needs it. Signals and starts are
/// sent only if the operation succeeds. If it fails or panics, nothing is sent.
///
/// ```
/// # use durable::prelude::*;
/// # use serde::{Serialize, Deserialize};
/// #[derive(Default, Serialize, Deserialize)]
/// struct Counter(i64);
///
/// #[entity]
/// impl Counter {
///     fn add(&mut self, ctx: &EntityContext, n: i64) -> Result<()> {
///         self.0 += n;
///         if self.0 >= 100 {
///             ctx.signal(Milestones::at("all").reached(ctx.key().to_owned()))?;
///         }
///         Ok(())
///     }
/// }
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Milestones(Vec<String>);
///
/// #[entity]
/// impl Milestones {
///     fn reached(&mut self, whom: String) {
///         self.0.push(whom);
///     }
/// }
/// # fn main() -> Result<()> {
///
/// // In a unit test the operations are methods like others.
/// let ctx = EntityContext::for_test(Counter::at("visits"), "add")?;
/// let mut counter = Counter(99);
/// counter.add(&ctx, 1)?;
/// assert_eq!(ctx.sent(), ["reached of @milestones@all"]);
/// # Ok(())
/// # }
/// ```
pub struct EntityContext {
    pub(super) entity_id: EntityId,
    pub(super) operation: String,
    pub(super) input: Json,
    pub(super) caller: Option<InstanceId>,
    pub(super) batch: BatchPlace,
    pub(super) around: BatchContext,
    effects: Mutex<OperationEffects>,
}

/// The position of an operation in its batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchPlace {
    pub(super) position: usize,
    pub(super) size: usize,
}

/// The effects of the operation once it has succeeded.
#[derive(Debug, Default)]
pub(super) struct OperationEffects {
    /// The state, if the entity is a function: it sets the state itself.
    pub(super) state: Option<Json>,
    /// Whether the entity is deleted.
    pub(super) deletes: bool,
    pub(super) outgoing: Vec<Outgoing>,
}

impl EntityContext {
    pub(super) fn new(
        (entity_id, operation, input): (EntityId, String, Json),
        caller: Option<InstanceId>,
        batch: BatchPlace,
        around: BatchContext,
        state: Option<Json>,
    ) -> Self {
        let effects = Mutex::new(OperationEffects { state, ..OperationEffects::default() });
        Self { entity_id, operation, input, caller, batch, around, effects }
    }

    /// Creates a context for a unit test of an operation; its time is the beginning of 1970.
    ///
    /// # Errors
    /// If the entity's key breaks a rule.
    #[expect(clippy::needless_pass_by_value, reason = "a handle is made where it is given")]
    pub fn for_test(entity: impl super::EntityHandle, operation: &str) -> Result<Self> {
        let asked = (entity.entity_id()?.clone(), operation.to_owned(), Json::null());
        let place = BatchPlace { position: 0, size: 1 };
        Ok(Self::new(asked, None, place, BatchContext::default(), None))
    }

    /// Returns the id of the entity.
    pub fn entity_id(&self) -> &EntityId {
        &self.entity_id
    }

    /// Returns the key of the entity, which distinguishes it from others of its kind.
    pub fn key(&self) -> &str {
        self.entity_id.key()
    }

    /// Returns the name of the operation.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// Returns the orchestration that waits for the result; `None` for a signal and for a call from
    /// a client.
    pub fn caller(&self) -> Option<&InstanceId> {
        self.caller.as_ref()
    }

    /// Returns the number of operations in the batch. One commit makes all of them durable.
    pub fn batch_size(&self) -> usize {
        self.batch.size
    }

    /// Returns the position of the operation in its batch, counted from 0.
    pub fn batch_position(&self) -> usize {
        self.batch.position
    }

    /// Returns the time at which the batch began, which is virtual in a test with virtual time. An
    /// operation may also read the machine's clock, because operations are not replayed.
    pub fn current_utc_datetime(&self) -> DateTime<Utc> {
        self.around.now.to_datetime()
    }

    /// Returns a token that is cancelled when the hub is shut down. The shutdown waits for running
    /// operations.
    ///
    /// An operation may then return early with an error. During a shutdown that error is not
    /// recorded; the batch runs again when the hub is next opened.
    pub fn cancellation_token(&self) -> &CancellationToken {
        &self.around.cancellation
    }

    /// Signals an operation of another entity, or of this one, without waiting for a result. An
    /// entity never waits for another entity, so entities cannot deadlock.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use durable::EntityId;
    /// #[entity]
    /// async fn counter(ctx: &EntityContext) -> Result<u64> {
    ///     let count = ctx.state::<u64>()?.unwrap_or_default() + 1;
    ///     ctx.set_state(&count)?;
    ///     let total = EntityId::new("total", "all")?.handle();
    ///     ctx.signal(total.operation::<()>("add", &1))?; // sent only if this operation succeeds
    ///     Ok(count)
    /// }
    /// ```
    ///
    /// # Errors
    /// If the key breaks a rule, the input has no JSON form or is too large, or the operation has
    /// sent more than it may ([`max_actions`](crate::client::TaskHubBuilder::max_actions)).
    pub fn signal<T, E>(&self, operation: Operation<T, E>) -> Result<()> {
        self.send(operation, None)
    }

    /// Like [`signal`](Self::signal), but the signal is delivered later: after a duration, or at a
    /// point in time.
    ///
    /// # Errors
    /// The same as [`signal`](Self::signal).
    pub fn signal_at<T, E>(&self, when: impl When, operation: Operation<T, E>) -> Result<()> {
        self.send(operation, Some(when.due().from(self.around.now)))
    }

    fn send<T, E>(&self, operation: Operation<T, E>, at: Option<Timestamp>) -> Result<()> {
        let asked = operation.into_request().map_err(|invalid| Error::from(invalid.failure()))?;
        let size = asked.input.as_str().len();
        self.around.limits.check_payload("the input", size).map_err(recorded)?;
        self.put(Outgoing::Signal { asked, at })
    }

    /// Sends a message when the operation succeeds.
    fn put(&self, outgoing: Outgoing) -> Result<()> {
        let (mut effects, max) = (self.effects(), self.around.limits.actions);
        if effects.outgoing.len() >= max as usize {
            let message = format!(
                "this operation has sent {max} signals and starts, which is the limit; send \
                 fewer, or raise `TaskHub::builder().max_actions(..)`"
            );
            let failure = FailureDetails::new(FailureDetails::TOO_MANY_ACTIONS, message);
            return Err(failure.non_retriable().into());
        }
        effects.outgoing.push(outgoing);
        Ok(())
    }

    /// Starts an orchestration exactly once and returns its instance id. If an instance with this
    /// id exists and has not ended, nothing is started and a warning is logged.
    ///
    /// # Errors
    /// If the id breaks a rule, the input has no JSON form or is too large, the call has an option
    /// that has no effect here ([`retry`](Call::retry), [`timeout`](Call::timeout),
    /// [`replace_if`](Call::replace_if), [`trace_context`](Call::trace_context)), or the operation
    /// has sent more than it may ([`max_actions`](crate::client::TaskHubBuilder::max_actions)).
    pub fn start<O: Orchestrator>(&self, call: Call<O>) -> Result<InstanceId> {
        call.check(CallUse::Detached)?;
        let Ask::SubOrchestration { call, instance_id, child } =
            call.into_request(self.around.now).map_err(Error::from)?.ask
        else {
            return Err(Error::msg("only an orchestration can be started"));
        };
        let size = call.input.as_str().len();
        self.around.limits.check_payload("the input", size).map_err(recorded)?;
        let instance_id = instance_id.unwrap_or_else(InstanceId::generate);
        let id = ExecutionId::generate();
        let started = Box::new(ExecutionStarted {
            scheduled_start: child.start_at,
            tags: call.options.tags,
            ..ExecutionStarted::new(call.name, call.version, call.input, id)
        });
        let outgoing = Outgoing::Start { instance_id: instance_id.clone(), started };
        self.put(outgoing)?;
        Ok(instance_id)
    }

    /// Deletes the entity once the operation has succeeded. The next operation finds the initial
    /// state; changes that this operation makes to the state are discarded.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// #[entity]
    /// async fn session(ctx: &EntityContext) -> Result<()> {
    ///     match ctx.operation() {
    ///         "end" => ctx.delete(),
    ///         _ => ctx.set_state(&ctx.current_utc_datetime())?,
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn delete(&self) {
        self.effects().deletes = true;
    }

    /// Returns the signals and starts so far as text, for assertions in a unit test.
    pub fn sent(&self) -> Vec<String> {
        self.effects().outgoing.iter().map(ToString::to_string).collect()
    }

    /// Whether this is the implicit `delete` operation.
    pub(super) fn is_deletion(&self) -> bool {
        self.operation.eq_ignore_ascii_case(DELETE)
    }

    pub(super) fn effects(&self) -> MutexGuard<'_, OperationEffects> {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn into_effects(self) -> OperationEffects {
        self.effects.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    #[doc(hidden)]
    pub fn states(&self) -> &States {
        &self.around.states
    }
}

/// State and input, for an entity that is a function.
impl EntityContext {
    /// Reads the operation's input as a `T`.
    ///
    /// # Errors
    /// If the input cannot be read as a `T`.
    pub fn input<T: DeserializeOwned>(&self) -> Result<T> {
        let read = serde_json::from_str(self.input.as_str()).or_else(|error| {
            // A client may have encoded it twice.
            self.input.inside().and_then(|it| serde_json::from_str(it.as_str()).ok()).ok_or(error)
        });
        read.map_err(|error| {
            Error::msg(format!("the input of `{}` cannot be read: {error}", self.operation))
        })
    }

    /// Reads the entity's state as a `T`; `None` if the entity has no state.
    ///
    /// # Errors
    /// If the state cannot be read as a `T`. If the function returns this error, the operation
    /// fails, and a failed signal is lost. An entity that is a type keeps its signals until code
    /// that can read the state is deployed.
    pub fn state<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let state = self.effects().state.clone();
        let Some(state) = state else { return Ok(None) };
        serde_json::from_str(state.as_str()).map(Some).map_err(|error| {
            Error::msg(format!("the state of `{}` cannot be read: {error}", self.entity_id))
        })
    }

    /// Returns `true` if the entity has a state.
    pub fn has_state(&self) -> bool {
        self.effects().state.is_some()
    }

    /// Replaces the entity's state. This has no effect in an entity that is a type, whose fields
    /// are the state.
    ///
    /// # Errors
    /// If the value has no JSON form, or is too large.
    pub fn set_state(&self, state: &(impl Serialize + ?Sized)) -> Result<()> {
        let state = json_of("the state", state, &self.around.limits).map_err(recorded)?;
        let mut effects = self.effects();
        effects.state = Some(state);
        effects.deletes = false;
        Ok(())
    }
}

/// The error of an operation whose value cannot be stored.
#[expect(clippy::boxed_local, clippy::needless_pass_by_value, reason = "for `map_err`")]
fn recorded(invalid: Box<InvalidPayload>) -> Error {
    Error::msg(invalid.recorded())
}

impl fmt::Display for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal { asked, .. } => write!(f, "{} of {}", asked.operation, asked.entity_id),
            Self::Start { instance_id, started } => {
                write!(f, "start of {} as {instance_id}", started.name)
            }
        }
    }
}

impl fmt::Debug for EntityContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntityContext({} of {})", self.operation, self.entity_id)
    }
}
