//! Durable futures: requests of an orchestrator whose results come from its history.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::request::Request;
use super::scope::{Scope, TaskResult};
use crate::error::{ErrorCodec, TaskFailed};
use crate::payload::Codec;
use crate::protocol::{EntityId, FailureDetails};

/// A durable future: its result is recorded once, and every replay reads it from the history.
///
/// A call becomes a task when it is awaited or [spawned](crate::Call::spawn). Dropping a task
/// before it is done cancels the call: a running activity is notified through its [cancellation
/// token](crate::ActivityContext::cancellation_token), a sub-orchestration is terminated.
///
/// ```
/// # use durable::prelude::*;
/// # #[activity]
/// # async fn double(n: u64) -> u64 { 2 * n }
/// #[orchestrator]
/// async fn sum(ctx: &OrchestrationContext) -> Result<u64> {
///     let first = double(1).spawn(); // a task, which begins now
///     let second = double(2).await?;
///     Ok(first.await? + second)
/// }
/// ```
#[must_use = "a task that is dropped is cancelled"]
pub struct Task<T, E> {
    what: Called,
    state: State,
    output: Codec<T>,
    error: ErrorCodec<E>,
}

/// The called function as error texts name it.
#[derive(Clone, Debug)]
pub(crate) enum Called {
    /// The kind of function, and its name.
    Function(&'static str, Cow<'static, str>),
    Operation(EntityId, Cow<'static, str>),
}

enum State {
    /// Not requested yet.
    Lazy(Box<Request>),
    /// Cannot be requested.
    Broken(Box<FailureDetails>),
    /// Requested, with this id.
    Scheduled(i32),
    Done,
}

impl<T, E> Task<T, E> {
    /// A task that is not requested yet, or never can be. It is generic over the types of the
    /// function and not over the function, so that functions with the same types share its code.
    pub(crate) fn new(
        what: Called,
        request: Result<Request, FailureDetails>,
        (output, error): (Codec<T>, ErrorCodec<E>),
    ) -> Self {
        let state = match request {
            Ok(request) => State::Lazy(Box::new(request)),
            Err(failure) => State::Broken(Box::new(failure.non_retriable())),
        };
        Self { what, state, output, error }
    }

    /// Requests the task now, unless it was requested already or this is not an orchestrator.
    pub(crate) fn schedule(&mut self) {
        let Some(scope) = Scope::current() else { return };
        let lazy = std::mem::replace(&mut self.state, State::Done);
        self.state = match lazy {
            State::Lazy(request) => match scope.refuses(&request) {
                None => State::Scheduled(scope.request(request)),
                Some(failure) => State::Broken(Box::new(failure)),
            },
            other => other,
        };
    }

    fn failed(&self, details: FailureDetails) -> TaskFailed<E> {
        let failed = TaskFailed::new(self.what.to_string(), details, self.error);
        match self.state {
            State::Scheduled(id) => failed.of_task(id),
            State::Lazy(_) | State::Broken(_) | State::Done => failed,
        }
    }

    /// Decodes a recorded result. The error says why it no longer matches the types.
    fn settle(&self, result: TaskResult) -> Result<Result<T, TaskFailed<E>>, String> {
        match result {
            Ok(json) => match self.output.decode(&json) {
                Ok(value) => Ok(Ok(value)),
                Err(error) => Err(format!(
                    "the recorded result of {} cannot be read as `{}`: {error}",
                    self.what,
                    std::any::type_name::<T>()
                )),
            },
            Err(details) => Ok(Err(self.failed(details))),
        }
    }
}

impl Called {
    fn not_in_orchestrator(&self) -> FailureDetails {
        let instead = match self {
            Self::Function(_, name) => format!("or run its body with `{name}::run(..)`"),
            Self::Operation(..) => {
                "in an entity signal it with `ctx.signal(..)`, which waits for no \
                                    answer, or as a client call it with `hub.call_entity(..)`"
                    .to_owned()
            }
        };
        let message = format!(
            "a call of {self} was awaited outside of an orchestrator, where nothing would be \
             recorded; await it in an `#[orchestrator]`, {instead}"
        );
        FailureDetails::new(FailureDetails::NOT_IN_ORCHESTRATOR, message).non_retriable()
    }
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(kind, name) => write!(f, "{kind} `{name}`"),
            Self::Operation(entity, name) => write!(f, "operation `{name}` of `{entity}`"),
        }
    }
}

impl<T, E> Future for Task<T, E> {
    type Output = Result<T, TaskFailed<E>>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let task = self.get_mut();
        let Some(scope) = Scope::current() else {
            return Poll::Ready(Err(task.failed(task.what.not_in_orchestrator())));
        };
        task.schedule();
        match &task.state {
            State::Broken(failure) => {
                let failed = task.failed(failure.as_ref().clone());
                task.state = State::Done;
                Poll::Ready(Err(failed))
            }
            State::Scheduled(id) => {
                let Some(result) = scope.take_result(*id) else { return Poll::Pending };
                match task.settle(result) {
                    Ok(settled) => {
                        task.state = State::Done;
                        Poll::Ready(settled)
                    }
                    Err(fault) => {
                        scope.report_fault(fault);
                        Poll::Pending
                    }
                }
            }
            State::Lazy(_) | State::Done => Poll::Pending,
        }
    }
}

impl<T, E> Drop for Task<T, E> {
    fn drop(&mut self) {
        if let (State::Scheduled(id), Some(scope)) = (&self.state, Scope::current()) {
            scope.abandon(*id);
        }
    }
}

impl<T, E> fmt::Debug for Task<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Lazy(_) => "not scheduled",
            State::Broken(_) => "broken",
            State::Scheduled(_) => "scheduled",
            State::Done => "done",
        };
        write!(f, "Task({}, {state})", self.what)
    }
}
