//! `select_all`: the first of any number of tasks of one type, and the remaining ones.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Children;
use crate::orchestration::durable::Durable;

/// Waits for the first of `tasks` to complete: returns its result, its index, and the other tasks
/// in order. If several are already done, the first in the list wins. Returns `None` if there are
/// no tasks.
///
/// The other tasks continue; they are cancelled only if they are dropped. They can be passed to
/// `select_all` again, which then returns indices into the new list. Each call polls all of them,
/// so for many tasks use [`as_completed`](crate::as_completed).
///
/// Every task must be `Unpin`, because the other tasks are returned unboxed: tasks, `async` blocks
/// and [helpers](macro@crate::helper) are. Futures are returned with their own type, but calls are
/// returned as tasks, so begin a loop with [spawned](crate::Call::spawn) calls.
///
/// ```
/// # use durable::prelude::*;
/// # #[activity]
/// # async fn ping(mirror: &str) -> Result<u64> { Ok(1) }
/// #[orchestrator]
/// async fn two_quickest(ctx: &OrchestrationContext, mirrors: Vec<String>) -> Result<Vec<u64>> {
///     let mut pings: Vec<_> = mirrors.iter().map(|mirror| ping(mirror).spawn()).collect();
///     let mut times = Vec::new();
///     while let Some((time, _, others)) = durable::select_all(pings).await {
///         times.push(time?);
///         if times.len() == 2 {
///             break; // which drops the others
///         }
///         pings = others;
///     }
///     Ok(times)
/// }
/// ```
pub fn select_all<I>(tasks: I) -> SelectAll<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator<Item: Selectable>,
{
    SelectAll { children: Children::new(tasks), unbox: I::Item::unbox }
}

/// A task for [`select_all`]: durable, and of a type that can be returned.
///
/// This is a single bound, so that an argument that is not durable causes a single error.
///
/// ```
/// # use durable::prelude::*;
/// # #[activity]
/// # async fn ask(server: &str) -> Result<u32> { Ok(server.len() as u32) }
/// #[orchestrator]
/// async fn fastest(ctx: &OrchestrationContext, servers: Vec<String>) -> Result<u32> {
///     // Calls and tasks are selectable.
///     let tasks: Vec<_> = servers.iter().map(|server| ask(server).spawn()).collect();
///     match durable::select_all(tasks).await {
///         Some((answer, _index, _others)) => Ok(answer?),
///         None => Err(Error::msg("there are no servers")),
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`durable::select_all` cannot wait for `{Self}`: it is not durable, or not `Unpin`",
    label = "its result is not recorded, or it cannot be returned when another task completes \
             first",
    note = "I/O, locks, channels and tasks: do this in an `#[activity]`, and pass a call of it",
    note = "calls, tasks, `async` blocks and the futures of `durable::join` and similar functions \
            are both",
    note = "an `async fn` of your own that awaits only what is durable: annotate it with `#[durable::helper]`",
    note = "a durable future that is not `Unpin`: `Box::pin` it"
)]
pub trait Selectable: IntoFuture {
    #[doc(hidden)]
    fn unbox(task: Pin<Box<Self::IntoFuture>>) -> Self::IntoFuture;
}

#[diagnostic::do_not_recommend]
impl<T: Durable + IntoFuture<IntoFuture: Unpin>> Selectable for T {
    fn unbox(task: Pin<Box<T::IntoFuture>>) -> T::IntoFuture {
        *Pin::into_inner(task)
    }
}

/// The future of [`select_all`].
///
/// ```
/// # use durable::prelude::*;
/// # #[activity]
/// # async fn ask(server: &str) -> Result<u32> { Ok(server.len() as u32) }
/// #[orchestrator]
/// async fn first_success(ctx: &OrchestrationContext, servers: Vec<String>) -> Result<Option<u32>> {
///     let mut tasks: Vec<_> = servers.iter().map(|server| ask(server).spawn()).collect();
///     while let Some((answer, _index, others)) = durable::select_all(tasks).await {
///         if let Ok(answer) = answer {
///             return Ok(Some(answer));
///         }
///         tasks = others;
///     }
///     Ok(None)
/// }
/// ```
#[must_use = "a future does nothing until it is awaited"]
pub struct SelectAll<F: Future> {
    children: Children<F>,
    unbox: fn(Pin<Box<F>>) -> F,
}

impl<F: Future> Unpin for SelectAll<F> {}

#[diagnostic::do_not_recommend]
impl<F: Future> Durable for SelectAll<F> {}

impl<F: Future> Future for SelectAll<F> {
    type Output = Option<(F::Output, usize, Vec<F>)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { children, unbox } = self.get_mut();
        let Some(index) = children.poll(cx, |_, _| true) else {
            return if children.pending == 0 { Poll::Ready(None) } else { Poll::Pending };
        };
        let output = children.all[index].take();
        let others = children.take_pending().map(*unbox).collect();
        Poll::Ready(output.map(|output| (output, index, others)))
    }
}

impl<F: Future> fmt::Debug for SelectAll<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelectAll").field("children", &self.children).finish_non_exhaustive()
    }
}
