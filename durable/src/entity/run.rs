//! Runs a batch of operations of one entity, each as a transaction.
//!
//! Rules:
//! 1. An operation that fails or panics has no effect: the state is rolled back, and nothing that it
//!    sent leaves. Its failure goes to its caller, and the batch continues.
//! 2. The state is decoded when the first operation needs it, and encoded after each operation that
//!    may have changed it, because a later operation that fails goes back to it. An operation fails
//!    if the state that it leaves cannot be read back.
//! 3. If the stored state cannot be decoded, calls fail and signals stay queued until code that can
//!    read it is deployed. Deleting the entity needs no state.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;

use super::batch::{Batch, BatchDone, Outcome, Requested};
use super::context::{BatchPlace, EntityContext, OperationEffects};
use crate::definition::{OperationEntry, RunEntity};
use crate::panics::{self, Guarded};
use crate::payload::Codec;
use crate::protocol::{FailureDetails, Json};

/// A run of an operation on its stored input.
#[doc(hidden)]
pub enum OperationRun<'a> {
    /// The body is awaited.
    Async(Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>),
    /// The body has run.
    Done(Outcome),
    /// The body has not run, because the input cannot be read.
    Unreadable(FailureDetails),
}

impl fmt::Debug for OperationRun<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Async(_) => "OperationRun::Async",
            Self::Done(_) => "OperationRun::Done",
            Self::Unreadable(_) => "OperationRun::Unreadable",
        })
    }
}

impl OperationRun<'_> {
    /// Creates a run that failed before its body.
    pub fn failed(failure: FailureDetails) -> Self {
        Self::Unreadable(failure)
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

    /// The initial state.
    fn initial() -> Self;

    /// Runs the operation of this index on its stored input.
    fn run<'a>(
        &'a mut self,
        operation: usize,
        context: &'a EntityContext,
        input: &'a Json,
    ) -> OperationRun<'a>;
}

/// An [`EntityBody`] that can be run. Generated code asks for this trait, so that its message explains
/// what is missing.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the state of an entity",
    label = "cannot be sent to another thread",
    note = "an entity may run on any thread: use `Arc` instead of `Rc`, and `std::sync::Mutex` \
            instead of a shared `RefCell`"
)]
pub trait RunnableEntity {
    const RUN: RunEntity;
}

#[diagnostic::do_not_recommend]
impl<E: EntityBody + Send> RunnableEntity for E {
    const RUN: RunEntity = run_entity::<E>;
}

/// A function that dispatches on the name of the operation.
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

/// How an operation has ended.
enum Operated {
    /// With this result and this state.
    With(Outcome, Option<Json>),
    /// The state cannot be decoded.
    Unreadable(FailureDetails),
}

/// Runs single operations.
trait Operations: Send {
    /// Runs an operation. If its result is not `Ok`, the state must be as before.
    fn operate(
        &mut self,
        context: &EntityContext,
        state: Option<&Json>,
    ) -> impl Future<Output = Operated> + Send;
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
                Operated::With(Ok(output), new_state) => {
                    let OperationEffects { deletes, outgoing: sent, .. } = context.into_effects();
                    outgoing.extend(sent);
                    state = if deletes { None } else { new_state };
                    Some(Ok(output))
                }
                Operated::With(Err(failure), _) => Some(Err(failure.bounded(payload))),
                // Deleting an entity needs no state (rule 3).
                Operated::Unreadable(_) if !is_call && context.is_deletion() => {
                    state = None;
                    Some(Ok(Json::null()))
                }
                Operated::Unreadable(failure) => is_call.then_some(Err(failure)),
            });
        }
        BatchDone { state, outcomes, outgoing }
    }
}

/// The decoded state, while it is known to equal the stored one.
struct Typed<E> {
    body: Option<Guarded<E>>,
}

impl<E: EntityBody + Send> Operations for Typed<E> {
    async fn operate(&mut self, context: &EntityContext, state: Option<&Json>) -> Operated {
        let named = |entry: &OperationEntry| entry.name.eq_ignore_ascii_case(&context.operation);
        let Some(index) = E::OPERATIONS.iter().position(named) else {
            if context.is_deletion() {
                self.body = None;
                return Operated::With(Ok(Json::null()), None);
            }
            return Operated::With(Err(unknown::<E>(context)), None);
        };
        let mut body = match self.body.take() {
            Some(body) => body,
            None => match Self::read(context, state) {
                Ok(body) => body,
                Err(unreadable) => return unreadable,
            },
        };
        let ran = finish(context, || body.get_mut().run(index, context, &context.input)).await;
        let outcome = match ran {
            Ended::Ran(outcome) => outcome,
            Ended::Unreadable(failure) => match context.input.inside() {
                // A client may have encoded it twice.
                Some(inside) => {
                    match finish(context, || body.get_mut().run(index, context, &inside)).await {
                        Ended::Ran(outcome) => outcome,
                        Ended::Unreadable(_) => Err(failure),
                    }
                }
                None => Err(failure),
            },
        };
        let Ok(output) = outcome else {
            // The value may have been changed; the next operation decodes the state again.
            return Operated::With(outcome, None);
        };
        if context.effects().deletes {
            return Operated::With(Ok(output), None);
        }
        let reads = E::OPERATIONS.get(index).is_some_and(|entry| entry.reads);
        if let (true, Some(state)) = (reads, state) {
            self.body = Some(body);
            return Operated::With(Ok(output), Some(state.clone()));
        }
        // Reading an entity that has no state does not create one.
        if reads {
            return Operated::With(Ok(output), None);
        }
        match Self::write(context, body.get()) {
            Ok(state) => {
                self.body = Some(body);
                Operated::With(Ok(output), state)
            }
            Err(failure) => Operated::With(Err(failure), None),
        }
    }
}

impl<E: EntityBody> Typed<E> {
    fn read(context: &EntityContext, state: Option<&Json>) -> Result<Guarded<E>, Operated> {
        let Some(state) = state else {
            let initial = panics::catch(E::initial).map(Guarded::new);
            return initial.map_err(|panic| Operated::With(Err(panic), None));
        };
        // Decoding runs the user's code, which may panic.
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
        Err(Operated::Unreadable(failure.non_retriable()))
    }

    /// The state as it is stored; `None` if it is `null`.
    fn write(context: &EntityContext, body: &E) -> Result<Option<Json>, FailureDetails> {
        let written = panics::catch(|| E::codec().encode_readable("the state", body))?;
        let json = written.map_err(|invalid| {
            let message = invalid.recorded();
            FailureDetails::new(FailureDetails::INVALID_OUTPUT, message).non_retriable()
        })?;
        let json = context.around.limits.fitting("the state", json)?;
        Ok((json.as_str() != "null").then_some(json))
    }
}

struct Function<F>(PhantomData<fn() -> F>);

impl<F: EntityFunction> Operations for Function<F> {
    async fn operate(&mut self, context: &EntityContext, _: Option<&Json>) -> Operated {
        let outcome = match finish(context, || F::run(context)).await {
            Ended::Ran(outcome) => outcome,
            Ended::Unreadable(failure) => Err(failure),
        };
        Operated::With(outcome, context.effects().state.clone())
    }
}

/// How a run of an operation has ended.
enum Ended {
    Ran(Outcome),
    Unreadable(FailureDetails),
}

/// Runs an operation to its end; a panic in it is a failure.
async fn finish<'a>(
    context: &EntityContext,
    run: impl FnOnce() -> OperationRun<'a> + Send,
) -> Ended {
    let outcome = match panics::catch(run) {
        Ok(OperationRun::Unreadable(failure)) => return Ended::Unreadable(failure),
        Ok(OperationRun::Done(outcome)) => outcome,
        Ok(OperationRun::Async(future)) => panics::catch_async(future).await,
        Err(panic) => Err(panic),
    };
    Ended::Ran(outcome.and_then(|output| context.around.limits.fitting("the output", output)))
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
