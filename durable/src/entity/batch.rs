//! Running a batch of operations of one entity: each is a transaction.
//!
//! Rules:
//! 1. An operation that fails or panics leaves nothing: neither in the state nor on its way. Its
//!    failure goes to its caller, and the batch goes on.
//! 2. The state is read once, when the first operation wants it, and written after each operation
//!    that may have changed it: that is what a later one goes back to if it fails. A state that
//!    cannot be read again is a failure of the operation that made it.
//! 3. A state that cannot be read fails the calls, and the signals wait for code that can. Deleting
//!    the entity needs no state.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;

use super::context::{Around, BatchPlace, EntityContext, Outgoing, Wanted};
use crate::panics::{self, Guarded};
use crate::payload::Codec;
use crate::protocol::{EntityId, EventKind, FailureDetails, InstanceId, Json, TaskMessage};
use crate::registry::{OperationEntry, RunEntity};

type Outcome = Result<Json, FailureDetails>;

/// The operation that every entity has, unless its own code has one of this name.
pub(crate) const DELETE: &str = "delete";

/// Whether a message asks for the operation that every entity has.
pub(crate) fn is_deletion(message: &TaskMessage) -> bool {
    let (EventKind::EntityOperationCalled { operation, .. }
    | EventKind::EntityOperationSignaled { operation, .. }) = &message.event
    else {
        return false;
    };
    operation.eq_ignore_ascii_case(DELETE)
}

/// Operations of one entity that run one after another, and are committed at once.
#[derive(Debug)]
pub struct Batch {
    pub(crate) entity_id: EntityId,
    pub(crate) state: Option<Json>,
    pub(crate) operations: Vec<Requested>,
    pub(crate) around: Around,
}

/// One operation that is asked for.
#[derive(Debug)]
pub(crate) struct Requested {
    pub(crate) operation: String,
    pub(crate) input: Json,
    /// The orchestration that waits for the answer, if one does.
    pub(crate) caller: Option<InstanceId>,
    /// Whether anybody waits for the answer.
    pub(crate) is_call: bool,
}

/// What has become of a batch.
#[derive(Debug)]
pub struct BatchDone {
    pub(crate) state: Option<Json>,
    /// What became of each operation; none of a signal that waits for code that can read the state.
    pub(crate) outcomes: Vec<Option<Outcome>>,
    pub(crate) outgoing: Vec<Outgoing>,
}

/// One run of an operation: what its stored input makes of its body.
#[doc(hidden)]
pub enum OperationRun<'a> {
    /// The body is awaited.
    Async(Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>),
    /// The body has run.
    Done(Outcome),
}

impl fmt::Debug for OperationRun<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Async(_) => "OperationRun::Async",
            Self::Done(_) => "OperationRun::Done",
        })
    }
}

impl OperationRun<'_> {
    /// A run whose body was never reached.
    pub fn failed(failure: FailureDetails) -> Self {
        Self::Done(Err(failure))
    }
}

/// How generated code runs one operation on its stored input.
#[doc(hidden)]
pub type RunOperation<E> =
    for<'a> fn(&'a mut E, &'a EntityContext, &'a Json) -> Result<OperationRun<'a>, FailureDetails>;

/// A type with operations.
#[doc(hidden)]
pub trait EntityBody: Sized + 'static {
    const OPERATIONS: &'static [OperationEntry];

    fn codec() -> Codec<Self>;

    /// The state of an entity that has none yet.
    fn initial() -> Self;

    /// Runs the operation of this index on its stored input.
    fn run<'a>(
        &'a mut self,
        operation: usize,
        context: &'a EntityContext,
        input: &'a Json,
    ) -> OperationRun<'a>;
}

/// An [`EntityBody`], as generated code asks for what runs it: whether it can be run is said here,
/// in our words.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the state of an entity",
    label = "cannot be sent to another thread",
    note = "an entity runs on whichever thread is free: use `Arc` instead of `Rc`, and a \
            `std::sync::Mutex` instead of a `RefCell` that is shared"
)]
pub trait RunnableEntity {
    const RUN: RunEntity;
}

#[diagnostic::do_not_recommend]
impl<E: EntityBody + Send> RunnableEntity for E {
    const RUN: RunEntity = run_entity::<E>;
}

/// A function that does what an operation's name says.
#[doc(hidden)]
pub trait EntityFunction: 'static {
    fn run(context: &EntityContext) -> OperationRun<'_>;
}

/// Runs a batch of an entity that is a type.
#[doc(hidden)]
pub fn run_entity<E: EntityBody + Send>(
    batch: Batch,
) -> Pin<Box<dyn Future<Output = BatchDone> + Send>> {
    Box::pin(batch.run(Typed::<E> { body: None }))
}

/// Runs a batch of an entity that is a function.
#[doc(hidden)]
pub fn run_entity_function<F: EntityFunction>(
    batch: Batch,
) -> Pin<Box<dyn Future<Output = BatchDone> + Send>> {
    Box::pin(batch.run(Function::<F>(PhantomData)))
}

/// How an operation ends.
enum Ended {
    /// With this outcome, and this as the state.
    With(Outcome, Option<Json>),
    /// The state cannot be read.
    Unreadable(FailureDetails),
}

/// What runs single operations.
trait Operations: Send {
    /// Runs an operation. What is not an outcome of `Ok` must leave nothing behind.
    fn operate(
        &mut self,
        context: &EntityContext,
        state: Option<&Json>,
    ) -> impl Future<Output = Ended> + Send;
}

impl Batch {
    async fn run(self, mut operations: impl Operations) -> BatchDone {
        let Self { entity_id, mut state, operations: all, around } = self;
        let (size, payload) = (all.len(), around.limits.payload);
        let mut outcomes = Vec::with_capacity(size);
        let mut outgoing = Vec::new();
        for (position, requested) in all.into_iter().enumerate() {
            let Requested { operation, input, caller, is_call } = requested;
            let asked = (entity_id.clone(), operation, input);
            let place = BatchPlace { position, size };
            let around = around.clone();
            let context = EntityContext::new(asked, caller, place, around, state.clone());
            let ended = operations.operate(&context, state.as_ref()).await;
            outcomes.push(match ended {
                Ended::With(Ok(output), new_state) => {
                    let Wanted { deletes, outgoing: sent, .. } = context.into_wanted();
                    outgoing.extend(sent);
                    state = if deletes { None } else { new_state };
                    Some(Ok(output))
                }
                Ended::With(Err(failure), _) => Some(Err(failure.bounded(payload))),
                // A deletion does not need the state.
                Ended::Unreadable(_) if !is_call && context.is_deletion() => {
                    state = None;
                    Some(Ok(Json::null()))
                }
                Ended::Unreadable(failure) => is_call.then_some(Err(failure)),
            });
        }
        BatchDone { state, outcomes, outgoing }
    }
}

/// The state as a value, if it is known to be that of the stored one.
struct Typed<E> {
    body: Option<Guarded<E>>,
}

impl<E: EntityBody + Send> Operations for Typed<E> {
    async fn operate(&mut self, context: &EntityContext, state: Option<&Json>) -> Ended {
        let named = |entry: &OperationEntry| entry.name.eq_ignore_ascii_case(&context.operation);
        let Some(index) = E::OPERATIONS.iter().position(named) else {
            if context.is_deletion() {
                self.body = None;
                return Ended::With(Ok(Json::null()), None);
            }
            return Ended::With(Err(unknown::<E>(context)), None);
        };
        let mut body = match self.body.take() {
            Some(body) => body,
            None => match Self::read(context, state) {
                Ok(body) => body,
                Err(unreadable) => return unreadable,
            },
        };
        let operated = body.get_mut();
        let outcome = finish(context, move || operated.run(index, context, &context.input)).await;
        let Ok(output) = outcome else {
            // What it did to the value is undone by reading the state anew.
            return Ended::With(outcome, None);
        };
        if context.wanted().deletes {
            return Ended::With(Ok(output), None);
        }
        let reads = E::OPERATIONS.get(index).is_some_and(|entry| entry.reads);
        if let (true, Some(state)) = (reads, state) {
            self.body = Some(body);
            return Ended::With(Ok(output), Some(state.clone()));
        }
        // A read of an entity that has no state gives it none.
        if reads {
            return Ended::With(Ok(output), None);
        }
        match Self::write(context, body.get()) {
            Ok(state) => {
                self.body = Some(body);
                Ended::With(Ok(output), state)
            }
            Err(failure) => Ended::With(Err(failure), None),
        }
    }
}

impl<E: EntityBody> Typed<E> {
    fn read(context: &EntityContext, state: Option<&Json>) -> Result<Guarded<E>, Ended> {
        let Some(state) = state else {
            let initial = panics::catch(E::initial).map(Guarded::new);
            return initial.map_err(|panic| Ended::With(Err(panic), None));
        };
        // Reading runs the user's code, which may panic.
        let read = panics::catch(|| E::codec().decode(state));
        let reason = match read {
            Ok(Ok(body)) => return Ok(Guarded::new(body)),
            Ok(Err(error)) => error.to_string(),
            Err(panic) => panic.message,
        };
        let message = format!(
            "the state of `{}` cannot be read as `{}`: {reason}; let the type read what was stored \
             before, or delete the entity",
            context.entity_id,
            std::any::type_name::<E>()
        );
        let failure = FailureDetails::new(FailureDetails::INVALID_STATE, message);
        Err(Ended::Unreadable(failure.non_retriable()))
    }

    /// The state as it is stored; none if that is `null`.
    fn write(context: &EntityContext, body: &E) -> Result<Option<Json>, FailureDetails> {
        let written = panics::catch(|| E::codec().encode_readable("the state", body))?;
        let json = written.map_err(|message| {
            FailureDetails::new(FailureDetails::INVALID_OUTPUT, message).non_retriable()
        })?;
        let json = context.around.limits.fitting("the state", json)?;
        Ok((json.as_str() != "null").then_some(json))
    }
}

struct Function<F>(PhantomData<fn() -> F>);

impl<F: EntityFunction> Operations for Function<F> {
    async fn operate(&mut self, context: &EntityContext, _: Option<&Json>) -> Ended {
        let outcome = finish(context, || F::run(context)).await;
        Ended::With(outcome, context.wanted().state.clone())
    }
}

/// Runs an operation to its end; a panic in it is a failure.
async fn finish<'a>(
    context: &EntityContext,
    run: impl FnOnce() -> OperationRun<'a> + Send,
) -> Outcome {
    let output = match panics::catch(run)? {
        OperationRun::Done(outcome) => outcome,
        OperationRun::Async(future) => panics::catch_async(future).await,
    }?;
    context.around.limits.fitting("the output", output)
}

fn unknown<E: EntityBody>(context: &EntityContext) -> FailureDetails {
    let names: Vec<_> = E::OPERATIONS.iter().map(|entry| format!("`{}`", entry.name)).collect();
    let message = format!(
        "`{}` has no operation `{}`; it has {}",
        context.entity_id,
        context.operation,
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    );
    FailureDetails::new(FailureDetails::NOT_REGISTERED, message).non_retriable()
}
