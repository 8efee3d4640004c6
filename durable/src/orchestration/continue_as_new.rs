//! Beginning anew with an empty history.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::durable::Durable;
use super::scope::{NextExecution, Scope};
use crate::protocol::FailureDetails;

/// The future of [`continue_as_new`](crate::OrchestrationContext::continue_as_new): it is never
/// done, since what awaits it has ended.
#[must_use = "an orchestrator does not begin anew until this is awaited"]
pub struct ContinueAsNew<R> {
    scope: Rc<Scope>,
    next: Option<Result<NextExecution, FailureDetails>>,
    returns: PhantomData<fn() -> R>,
}

impl<R> ContinueAsNew<R> {
    pub(super) fn new(scope: Rc<Scope>, next: Result<NextExecution, FailureDetails>) -> Self {
        Self { scope, next: Some(next), returns: PhantomData }
    }

    /// Throws events away that were not read, instead of handing them on.
    pub fn discard_events(mut self) -> Self {
        if let Some(Ok(next)) = &mut self.next {
            next.keeps_events = false;
        }
        self
    }
}

#[diagnostic::do_not_recommend]
impl<R> Durable for ContinueAsNew<R> {}

impl<R> Future for ContinueAsNew<R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<R> {
        if let Some(next) = self.next.take() {
            self.scope.continue_as_new(next);
        }
        Poll::Pending
    }
}

impl<R> fmt::Debug for ContinueAsNew<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContinueAsNew")
    }
}
