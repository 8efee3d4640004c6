//! Waiting for external events.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::durable::Durable;
use super::scope::Scope;
use crate::error::{Error, TaskFailed, task_error};
use crate::payload::Codec;
use crate::protocol::{FailureDetails, Json};

/// A wait for the next external event with a given name, whose payload is read as a `T`.
///
/// The waits for one name receive its events in order: the oldest wait gets the oldest event.
/// Dropping a wait loses no event: its event goes to the next wait.
///
/// ```
/// # use durable::prelude::*;
/// #[orchestrator]
/// async fn total(ctx: &OrchestrationContext, items: u32) -> Result<u64> {
///     let mut cents = 0;
///     for _ in 0..items {
///         cents += ctx.wait_for_external_event::<u64>("Item").await?;
///     }
///     Ok(cents)
/// }
/// ```
#[must_use = "an event is not waited for until this is awaited"]
pub struct ExternalEventWait<T> {
    scope: Rc<Scope>,
    name: String,
    codec: Codec<T>,
    state: State,
    /// The place in the source code where the orchestrator waits.
    source: &'static Location<'static>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Lazy,
    Waiting(u64),
    Done,
}

impl<T> ExternalEventWait<T> {
    pub(super) fn new(
        scope: Rc<Scope>,
        name: &str,
        codec: Codec<T>,
        source: &'static Location<'static>,
    ) -> Self {
        Self { scope, name: name.to_owned(), codec, state: State::Lazy, source }
    }

    /// Reads the event, or the JSON inside it if a client has encoded it twice.
    fn read(&self, input: &Json) -> serde_json::Result<T> {
        self.codec.decode(input).or_else(|error| {
            let inside = input.inside().filter(|_| self.scope.replay_version() >= 1);
            inside.and_then(|inside| self.codec.decode(&inside).ok()).ok_or(error)
        })
    }
}

#[diagnostic::do_not_recommend]
impl<T> Durable for ExternalEventWait<T> {}

impl<T> Future for ExternalEventWait<T> {
    type Output = Result<T, TaskFailed>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        if matches!(self.state, State::Lazy) {
            self.state = State::Waiting(self.scope.wait_for_event(&self.name, self.source));
        }
        let State::Waiting(wait) = self.state else { return Poll::Pending };
        let Some(input) = self.scope.take_event(wait) else { return Poll::Pending };
        self.state = State::Done;
        let read = self.read(&input).map_err(|error| {
            let wanted = std::any::type_name::<T>();
            let message = format!("what it carries cannot be read as `{wanted}`: {error}");
            let details = FailureDetails::new(FailureDetails::INVALID_EVENT, message);
            let what = format!("external event `{}`", self.name);
            TaskFailed::new(what, details.non_retriable(), task_error::<Error>())
        });
        Poll::Ready(read)
    }
}

impl<T> Drop for ExternalEventWait<T> {
    fn drop(&mut self) {
        if let (State::Waiting(wait), Some(scope)) = (self.state, Scope::current()) {
            scope.stop_waiting(wait);
        }
    }
}

impl<T> fmt::Debug for ExternalEventWait<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExternalEventWait({}, {:?})", self.name, self.state)
    }
}
