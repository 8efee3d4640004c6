//! Waiting for all tasks of a list, with or without bounded concurrency.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::Children;
use crate::orchestration::durable::Durable;

/// Waits for all `tasks` and returns their results in the same order.
///
/// All tasks start at once, unless [`at_most`](JoinAll::at_most) bounds the concurrency. A task is
/// polled only when it starts and when it makes progress, so large lists are cheap.
///
/// ```
/// # use durable::prelude::*;
/// # #[activity]
/// # async fn copy_file(path: &str) -> Result<u64> { Ok(1) }
/// #[orchestrator]
/// async fn backup(ctx: &OrchestrationContext, paths: Vec<String>) -> Result<u64> {
///     let copies = durable::join_all(paths.iter().map(|path| copy_file(path))).await;
///     Ok(copies.into_iter().flatten().sum()) // those that failed are left out
/// }
/// ```
pub fn join_all<I>(tasks: I) -> JoinAll<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator<Item: Durable + IntoFuture>,
{
    JoinAll { children: Children::new(tasks) }
}

/// Waits for all `tasks`, or for the first that fails; the others are then dropped, which cancels
/// them. [`at_most`](TryJoinAll::at_most) limits the concurrency.
///
/// ```
/// # use durable::prelude::*;
/// # #[activity]
/// # async fn square(n: u64) -> u64 { n * n }
/// #[orchestrator]
/// async fn squares(ctx: &OrchestrationContext, upto: u64) -> Result<Vec<u64>> {
///     Ok(durable::try_join_all((0..upto).map(square)).await?)
/// }
/// ```
pub fn try_join_all<I, T, E>(tasks: I) -> TryJoinAll<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator<Item: Durable + IntoFuture<Output = Result<T, E>>>,
{
    TryJoinAll { children: Children::new(tasks) }
}

/// The future of [`join_all`].
///
/// ```
/// # use durable::prelude::*;
/// # #[activity]
/// # async fn work(part: u32) -> Result<u32> { Ok(part) }
/// #[orchestrator]
/// async fn successes(ctx: &OrchestrationContext) -> Result<usize> {
///     let results = durable::join_all((0..100).map(work)).at_most(10).await;
///     Ok(results.iter().filter(|result| result.is_ok()).count())
/// }
/// ```
#[must_use = "a future does nothing until it is awaited"]
#[derive(Debug)]
pub struct JoinAll<F: Future> {
    children: Children<F>,
}

impl<F: Future> JoinAll<F> {
    /// Runs at most `count` tasks at a time: when one is done, the next in order starts. 0 counts as 1.
    ///
    /// Tasks that were [spawned](crate::Call::spawn) before have already started and are not held
    /// back.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[activity]
    /// # async fn copy_file(path: &str) -> Result<u64> { Ok(1) }
    /// #[orchestrator]
    /// async fn backup(ctx: &OrchestrationContext, paths: Vec<String>) -> Result<u64> {
    ///     let copies = paths.iter().map(|path| copy_file(path));
    ///     let copies = durable::join_all(copies).at_most(10).await;
    ///     Ok(copies.into_iter().flatten().sum())
    /// }
    /// ```
    pub fn at_most(self, count: usize) -> Self {
        Self { children: self.children.at_most(count) }
    }
}

impl<F: Future> Unpin for JoinAll<F> {}

#[diagnostic::do_not_recommend]
impl<F: Future> Durable for JoinAll<F> {}

impl<F: Future> Future for JoinAll<F> {
    type Output = Vec<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let children = &mut self.get_mut().children;
        children.poll(cx, |_, _| false);
        if children.pending == 0 {
            Poll::Ready(children.take_outputs().collect())
        } else {
            Poll::Pending
        }
    }
}

/// The future of [`try_join_all`].
///
/// ```
/// # use durable::prelude::*;
/// # #[activity]
/// # async fn work(part: u32) -> Result<u32> { Ok(part) }
/// #[orchestrator]
/// async fn sum(ctx: &OrchestrationContext) -> Result<u32> {
///     let parts = durable::try_join_all((0..100).map(work)).at_most(10).await?;
///     Ok(parts.iter().sum())
/// }
/// ```
#[must_use = "a future does nothing until it is awaited"]
#[derive(Debug)]
pub struct TryJoinAll<F: Future> {
    children: Children<F>,
}

impl<F: Future> TryJoinAll<F> {
    /// Runs at most `count` tasks at a time: when one is done, the next in order starts. 0 counts as 1.
    /// After a failure no further task starts.
    ///
    /// Tasks that were [spawned](crate::Call::spawn) before have already started and are not held
    /// back.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[activity]
    /// # async fn import(page: u32) -> Result<u64> { Ok(1) }
    /// #[orchestrator]
    /// async fn import_all(ctx: &OrchestrationContext, pages: u32) -> Result<u64> {
    ///     let rows = durable::try_join_all((0..pages).map(import)).at_most(4).await?;
    ///     Ok(rows.into_iter().sum())
    /// }
    /// ```
    pub fn at_most(self, count: usize) -> Self {
        Self { children: self.children.at_most(count) }
    }
}

impl<F: Future> Unpin for TryJoinAll<F> {}

#[diagnostic::do_not_recommend]
impl<F: Future> Durable for TryJoinAll<F> {}

impl<T, E, F: Future<Output = Result<T, E>>> Future for TryJoinAll<F> {
    type Output = Result<Vec<T>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let children = &mut self.get_mut().children;
        let failed = children.poll(cx, |_, child| child.has_failed());
        if let Some(Some(Err(error))) = failed.map(|index| children.all[index].take()) {
            children.clear();
            return Poll::Ready(Err(error));
        }
        if children.pending == 0 {
            Poll::Ready(children.take_outputs().collect())
        } else {
            Poll::Pending
        }
    }
}
