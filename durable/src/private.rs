//! The items that generated code names. Not part of the public API.
//!
//! The name of the module contains the minor version, like that of serde's private module. Code
//! that the attributes of one version generate for another version of this crate, for example
//! through a re-export, fails to build with a single clear error, "could not find `__private_0_2`
//! in `durable`".

use std::any::{TypeId, type_name};
use std::marker::PhantomData;
use std::panic::Location;

pub use std::boxed::Box as Boxed;
pub use std::result::Result::Ok;

pub use inventory;

pub use crate::activity::ActivityRun;
pub use crate::definition::{
    Activity, Body, CallDefaults, Definition, Entry, OperationEntry, Orchestrator,
    OrchestratorFuture, Parameters, RunActivity, RunEntity, RunOrchestrator, StateType,
};
pub use crate::entity::entity_ref::EntityRef;
pub use crate::entity::handle::{DynamicHandle, EntityHandle};
pub use crate::entity::in_critical_section::{
    CallsLockedOnly, CallsNoOrchestrator, LocksNothing, check_in_critical_section,
};
pub use crate::entity::operation::{locked_operation, operation};
pub use crate::entity::run::{
    EntityBody, EntityFunction, OperationRun, RunOperation, RunnableEntity, run_entity,
    run_entity_function,
};
pub use crate::entity::{Entity, EntityContext};
pub use crate::error::Error;
pub use crate::error::codec::{ErrorCodec, StoredError};
pub use crate::error::names::ErrorName;
pub use crate::event::EventData;
pub use crate::orchestration::{
    Child, DurableBlock, DurableFuture, JoinChildren, RaceChildren, TryJoinChildren, check,
    durable_block,
};
pub use crate::payload::{Codec, InputReader, InputWriter, Stored, StoredState};
pub use crate::protocol::{FailureDetails, Json};
pub use crate::retry::RetrySettings;

use crate::activity::{ActivityContext, State, States};
use crate::call::Call;
use crate::error::NonRetriable;
use crate::orchestration::scope::Scope;
use crate::transaction::{Transaction, TransactionBody, Transactions};
use crate::{panics, replay_rules};

/// Called by the output of `#[orchestrator]` and `#[helper]` for a body that they could not parse.
#[must_use = "the attribute cannot parse this body, so its awaits and its determinism are not checked; \
              write it with syntax that this version of `durable` knows"]
pub const fn unread_body() -> bool {
    false
}

/// A `Result` under any name, with its two types.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Result`",
    label = "named like a `Result`, but is another type",
    note = "return `durable::Result<{Self}>`, or give the type a name that does not end in `Result`"
)]
pub trait Fallible {
    type Ok;
    type Err;

    fn into_result(self) -> Result<Self::Ok, Self::Err>;
}

#[diagnostic::do_not_recommend]
impl<T, E> Fallible for Result<T, E> {
    type Ok = T;
    type Err = E;

    fn into_result(self) -> Self {
        self
    }
}

/// Recognizes a `Result` under another name: for it the inherent constant is used, for other types
/// the trait's.
#[derive(Debug)]
pub struct Probe<T>(PhantomData<T>);

impl<T, E> Probe<Result<T, E>> {
    pub const IS_RESULT: bool = true;
}

/// A type that is not a `Result`.
pub trait Plain {
    const IS_RESULT: bool = false;
}

impl<T> Plain for Probe<T> {}

/// Detects whether an error type decides which of its values are non-retriable: for such a type the
/// inherent function is used, for others the trait's.
#[derive(Debug)]
pub struct ErrorProbe<E: ?Sized>(PhantomData<E>);

impl<E: NonRetriable> ErrorProbe<E> {
    #[must_use]
    pub fn codec(codec: ErrorCodec<E>) -> ErrorCodec<E> {
        codec.asking()
    }
}

/// An error type whose values may all be retried.
pub trait Retriable {
    type Error;

    #[must_use]
    fn codec(codec: ErrorCodec<Self::Error>) -> ErrorCodec<Self::Error> {
        codec
    }
}

impl<E> Retriable for ErrorProbe<E> {
    type Error = E;
}

/// The `T` of a parameter of type `State<T>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shared state",
    label = "cannot be shared between threads",
    note = "shared state must be `Send + Sync + 'static`: keep data that changes in a \
            `std::sync::Mutex` or an atomic"
)]
pub trait Shared {
    const TYPE: StateType;

    fn find(states: &States) -> Result<State<Self>, FailureDetails>;
}

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static> Shared for T {
    const TYPE: StateType = StateType { id: TypeId::of::<T>, name: type_name::<State<T>> };

    fn find(states: &States) -> Result<State<T>, FailureDetails> {
        states.find()
    }
}

/// Returns the type of the transactions of an activity that takes a `T`.
#[must_use]
pub const fn transactions<T: Transaction>() -> StateType {
    StateType { id: TypeId::of::<T::Transactions>, name: type_name::<T::Transactions> }
}

/// Runs the body of a transactional activity, unless its result is recorded.
pub async fn run_in_transaction<T, F>(
    context: ActivityContext,
    body: F,
) -> Result<Json, FailureDetails>
where
    T: Transaction,
    F: for<'b, 't> FnOnce(
            &'b mut <T::Transactions as Transactions>::Transaction<'t>,
        ) -> TransactionBody<'b>
        + Send
        + 'static,
{
    let missing = || {
        let message = "the activity was not started by a hub; call its `run` in a unit test";
        FailureDetails::new(FailureDetails::MISSING_TRANSACTIONS, message).non_retriable()
    };
    let effect = context.effect.as_ref().ok_or_else(missing)?;
    // The future of the body may borrow the transaction only.
    let fitting = effect.clone();
    let run = effect.transactions::<T::Transactions>()?.run(effect, move |transaction| {
        let body = body(transaction);
        Box::pin(async move { fitting.fitting(panics::catch_async(body).await?) })
    });
    run.await
}

/// How the result of an operation is recorded.
pub trait Outcome {
    type Output;
    type Error;

    fn codecs() -> Codecs<Self::Output, Self::Error>;
}

/// The initial state of an entity whose attribute names none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no initial state",
    label = "an entity begins as `{Self}::default()`",
    note = "derive `Default` for it, or name a function that returns one: `#[entity(initial = \
            path::of::function)]`"
)]
pub trait Initial {
    fn initial() -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Default> Initial for T {
    fn initial() -> T {
        T::default()
    }
}

/// The call of a function that broke a rule and has no type of its own, because it is a method or
/// generic. Callers are checked as if the function were correct.
#[derive(Debug)]
pub struct Broken<T, E>(PhantomData<fn() -> (T, E)>);

impl<T: 'static, E: 'static> Definition for Broken<T, E> {
    const ENTRY: Entry = unreachable!();
    type Input = ();
    type Output = T;
    type Error = E;

    fn codecs() -> (Codec<T>, ErrorCodec<E>) {
        unreachable!()
    }
}

impl<T: 'static, E: 'static> Activity for Broken<T, E> {}

impl<T: 'static, E: 'static> Orchestrator for Broken<T, E> {
    type Return = Result<T, E>;
}

/// Creates a call from its parameters, which are already written.
#[track_caller]
pub fn call<F: Definition>(input: InputWriter) -> Call<F> {
    Call::new(input, Location::caller())
}

/// What writes and reads the outputs of a function.
pub type Codecs<T, E> = (Codec<T>, ErrorCodec<E>);

/// A body that has begun to run, unless its stored input does not fit its parameters.
pub type Began<T> = Result<T, FailureDetails>;

/// Returns the recorded form of a body's result.
pub fn finish<F: Definition>(result: Result<F::Output, F::Error>) -> Result<Json, FailureDetails> {
    recorded(result, F::codecs())
}

/// Returns the recorded form of an operation's result.
pub fn finish_operation<F: Outcome>(
    result: Result<F::Output, F::Error>,
) -> Result<Json, FailureDetails> {
    recorded(result, F::codecs())
}

fn recorded<T, E>(
    result: Result<T, E>,
    (output, error): Codecs<T, E>,
) -> Result<Json, FailureDetails> {
    let value = result.map_err(|e| error.write(e))?;
    // An orchestrator started by release 0.1 ends as it did there.
    let written = if replay_rules::are_those_of_release_0_1() {
        output.encode(&value).map_err(|error| format!("the output has no JSON form: {error}"))
    } else {
        output.encode_readable("the output", &value).map_err(|invalid| invalid.recorded())
    };
    written.map_err(|message| {
        FailureDetails::new(FailureDetails::INVALID_OUTPUT, message).non_retriable()
    })
}

/// Returns `true` while the current orchestrator is being replayed.
pub fn is_replaying() -> bool {
    Scope::current().is_some_and(|scope| scope.is_replaying())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_private_module_is_named_for_the_minor_version() {
        let (major, minor) = (env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
        let declared = format!("pub mod __private_{major}_{minor};");
        assert!(include_str!("lib.rs").contains(&declared), "rename it here and in the attributes");
    }
}
