//! Continue-as-new: the instance continues with an empty history.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::durable::Durable;
use super::scope::{NextExecution, Scope};
use crate::protocol::FailureDetails;

/// The future of [`continue_as_new`](crate::OrchestrationContext::continue_as_new). It never
/// completes, because the execution that awaits it ends.
///
/// ```
/// # use durable::prelude::*;
/// #[orchestrator]
/// async fn count(ctx: &OrchestrationContext, so_far: u64) -> Result<u64> {
///     let step: u64 = ctx.wait_for_external_event("step").await?;
///     ctx.continue_as_new(count(so_far + step)).await
/// }
/// ```
#[must_use = "an orchestrator does not continue as new until this is awaited"]
pub struct ContinueAsNew<R> {
    scope: Rc<Scope>,
    next: Option<Result<NextExecution, FailureDetails>>,
    returns: PhantomData<fn() -> R>,
}

impl<R> ContinueAsNew<R> {
    pub(crate) fn new(scope: Rc<Scope>, next: Result<NextExecution, FailureDetails>) -> Self {
        Self { scope, next: Some(next), returns: PhantomData }
    }

    /// Discards unread external events instead of handing them to the next execution.
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
