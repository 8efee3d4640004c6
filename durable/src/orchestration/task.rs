//! A durable future: something asked for in an orchestrator, whose result comes from its history.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::scope::{Request, Scope};
use crate::error::{ErrorCodec, TaskFailed};
use crate::payload::Codec;
use crate::protocol::{FailureDetails, Json};
use crate::registry::Entry;

/// A durable future: its result is recorded once and comes from the history ever after.
///
/// A call becomes one when it is awaited or [spawned](crate::Call::spawn). Dropping it before it is done
/// cancels what it waits for.
#[must_use = "a task that is dropped is cancelled"]
pub struct Task<T, E> {
    name: &'static str,
    state: State,
    output: Codec<T>,
    error: ErrorCodec<E>,
}

enum State {
    /// Not asked for yet.
    Lazy(Request),
    /// Cannot be asked for, since the input has no JSON form.
    Broken(String),
    /// Asked for.
    Scheduled(i32),
    Done,
}

impl<T, E> Task<T, E> {
    /// A task that is not asked for yet. It knows the types only, not the function, so that functions
    /// with the same types share its code.
    pub(crate) fn new(
        entry: &Entry,
        input: Result<Json, String>,
        source: &Location<'_>,
        (output, error): (Codec<T>, ErrorCodec<E>),
    ) -> Self {
        let Entry { name, version, .. } = *entry;
        let source = format!("{}:{}", source.file(), source.line());
        let state = match input {
            Ok(input) => State::Lazy(Request { name, version, input, source }),
            Err(reason) => State::Broken(reason),
        };
        Self { name, state, output, error }
    }

    /// Asks for the task now, if it is not asked for yet and there is an episode to ask in.
    pub(crate) fn schedule(&mut self) {
        if let (State::Lazy(request), Some(scope)) = (&self.state, Scope::current()) {
            self.state = State::Scheduled(scope.request(request.clone()));
        }
    }

    fn failed(&self, error_type: &str, message: String) -> TaskFailed<E> {
        let details = FailureDetails::new(error_type, message).non_retriable();
        TaskFailed::new(self.describe(), details, self.error)
    }

    fn describe(&self) -> String {
        format!("activity `{}`", self.name)
    }

    /// What a recorded result means to the orchestrator, if it still fits the types.
    fn settle(
        &self,
        result: Result<Json, FailureDetails>,
    ) -> Result<Result<T, TaskFailed<E>>, String> {
        match result {
            Ok(json) => match self.output.decode(&json) {
                Ok(value) => Ok(Ok(value)),
                Err(error) => Err(format!(
                    "the recorded result of {} cannot be read as `{}`: {error}",
                    self.describe(),
                    std::any::type_name::<T>()
                )),
            },
            Err(details) => Ok(Err(TaskFailed::new(self.describe(), details, self.error))),
        }
    }
}

impl<T, E> Future for Task<T, E> {
    type Output = Result<T, TaskFailed<E>>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let task = self.get_mut();
        let Some(scope) = Scope::current() else {
            let message = format!(
                "a call of activity `{}` was awaited outside of an orchestrator, where nothing \
                 would be recorded; await it in an `#[orchestrator]`, or run its body with \
                 `{}::run(..)`",
                task.name, task.name
            );
            return Poll::Ready(Err(task.failed(FailureDetails::NOT_IN_ORCHESTRATOR, message)));
        };
        task.schedule();
        match &task.state {
            State::Broken(reason) => {
                let failed = task.failed(FailureDetails::INVALID_INPUT, reason.clone());
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
        write!(f, "Task({}, {state})", self.describe())
    }
}
