//! The futures that an orchestrator may await: those whose results are recorded.
//!
//! `#[orchestrator]` and `#[helper]` turn every `E.await` into `check(E).await`. `check` is the
//! identity function, bounded by [`Durable`], a marker trait without associated types. Awaiting
//! any other future is therefore a single error, on the user's expression, and no type changes.
//!
//! Read next: `entity/in_critical_section.rs` (further checks while entities are locked).

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Task;

/// A future that an orchestrator may await, because its result is recorded.
///
/// Durable futures are calls, tasks, timers, waits for external events, the futures of
/// [`join`](crate::join), [`race`](crate::race) and the other combinators, and `async` blocks and
/// [helpers](macro@crate::helper) whose own awaits are durable.
///
/// ```
/// use std::future::Future;
///
/// /// What `#[orchestrator]` checks for each `await`.
/// fn is_durable(_: impl durable::task::Durable) {}
///
/// async fn fetch() {}
///
/// is_durable(durable::join_all(Vec::<durable::task::Task<u32, durable::Error>>::new()));
/// // is_durable(fetch()); does not compile: it is an ordinary future
/// ```
#[diagnostic::on_unimplemented(
    message = "an orchestrator cannot await `{Self}`: it is not durable",
    label = "its result is not recorded, so a replay would take a different path, or hang",
    note = "to wait for a duration: `ctx.create_timer(duration)`; for data from outside: \
            `ctx.wait_for_external_event(name)`",
    note = "I/O, locks, channels and tasks: do this in an `#[activity]`, and await a call of it",
    note = "several at once: `durable::join((a, b))`, `durable::join_all(..)`, and the same with `try_`; the first of several: `durable::race((a, b))`",
    note = "an `async fn` of your own that awaits only what is durable: annotate it with `#[durable::helper]`"
)]
pub trait Durable {}

/// A durable future, as a bound or a trait object: what [helpers](macro@crate::helper) return.
///
/// ```
/// # use durable::prelude::*;
/// use durable::task::DurableFuture;
///
/// #[durable::helper]
/// async fn twice<F: DurableFuture<Output = u64>>(first: F, second: F) -> u64 {
///     first.await + second.await
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a durable future",
    label = "an orchestrator cannot await it",
    note = "an `async fn` of your own that awaits only what is durable: annotate it with `#[durable::helper]`"
)]
pub trait DurableFuture: Durable + Future {}

#[diagnostic::do_not_recommend]
impl<F: Durable + Future + ?Sized> DurableFuture for F {}

#[diagnostic::do_not_recommend]
impl<T, E> Durable for Task<T, E> {}
#[diagnostic::do_not_recommend]
impl<F: Durable + ?Sized> Durable for &mut F {}
#[diagnostic::do_not_recommend]
impl<F: Durable + ?Sized> Durable for Box<F> {}
#[diagnostic::do_not_recommend]
impl<P: Durable> Durable for Pin<P> {}

/// An `async` block whose awaits were checked.
pub struct DurableBlock<F>(Pin<Box<F>>);

impl<F: Future> Future for DurableBlock<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.0.as_mut().poll(cx)
    }
}

#[diagnostic::do_not_recommend]
impl<F: Future> Durable for DurableBlock<F> {}

impl<F> fmt::Debug for DurableBlock<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DurableBlock")
    }
}

/// Returns its argument, which must be durable.
#[inline]
pub fn check<F: Durable>(future: F) -> F {
    future
}

/// Marks an `async` block whose awaits were checked.
pub fn durable_block<F: Future>(block: F) -> DurableBlock<F> {
    DurableBlock(Box::pin(block))
}
