//! `as_completed`: the results of a list of tasks, in the order in which they complete.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Children;
use crate::orchestration::durable::Durable;

/// Yields the results of `tasks` one by one, in the order in which they complete.
///
/// No task starts before [`next`](AsCompleted::next) is first awaited. Then all tasks start, unless
/// [`at_most`](AsCompleted::at_most) limits the concurrency. Results that arrive while the
/// orchestrator awaits something else are kept in order. An `async` block with several steps makes
/// progress only while `next` is awaited. Dropping the returned value cancels the tasks that are
/// not done. A task is polled only when it starts and when it makes progress, so large lists are
/// cheap.
///
/// ```
/// # use durable::prelude::*;
/// # #[activity]
/// # async fn ask(shop: &str) -> Result<u64> { Ok(1) }
/// #[orchestrator]
/// async fn cheap_enough(ctx: &OrchestrationContext, shops: Vec<String>) -> Result<String> {
///     let mut prices = durable::as_completed(shops.iter().map(|shop| ask(shop)));
///     while let Some((index, price)) = prices.next().await {
///         if price? < 100 {
///             return Ok(shops[index].clone()); // the others are not asked any longer
///         }
///     }
///     Ok("none".to_owned())
/// }
/// ```
pub fn as_completed<I>(tasks: I) -> AsCompleted<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator<Item: Durable + IntoFuture>,
{
    AsCompleted { children: Children::new(tasks).in_order_of_results(), done: VecDeque::new() }
}

/// Tasks whose results are taken in the order in which they complete; see [`as_completed`].
///
/// ```
/// # use durable::prelude::*;
/// #[activity]
/// async fn check(site: &str) -> Result<bool> {
///     # let _ = site;
///     Ok(true)
/// }
///
/// #[orchestrator]
/// async fn first_down(ctx: &OrchestrationContext, sites: Vec<String>) -> Result<Option<usize>> {
///     let mut checks = durable::as_completed(sites.iter().map(|site| check(site))).at_most(10);
///     while let Some((at, is_up)) = checks.next().await {
///         if !is_up? {
///             return Ok(Some(at)); // the other checks are dropped
///         }
///     }
///     Ok(None)
/// }
/// ```
#[must_use = "nothing is begun until `next` is awaited"]
#[derive(Debug)]
pub struct AsCompleted<F: Future> {
    children: Children<F>,
    /// The tasks whose results were not taken yet.
    done: VecDeque<usize>,
}

impl<F: Future> AsCompleted<F> {
    /// Runs at most `count` tasks at a time: when one is done, the next in order starts. 0 counts as 1.
    ///
    /// Tasks start only while [`next`](Self::next) is awaited, so fewer run while an orchestrator
    /// awaits something else for a long time. Tasks that were [spawned](crate::Call::spawn) before
    /// have already started and are not held back.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[activity]
    /// # async fn copy_file(path: &str) -> Result<u64> { Ok(1) }
    /// #[orchestrator]
    /// async fn backup(ctx: &OrchestrationContext, paths: Vec<String>) -> Result<u64> {
    ///     let copies = paths.iter().map(|path| copy_file(path));
    ///     let mut copies = durable::as_completed(copies).at_most(16);
    ///     let (mut bytes, mut done) = (0, 0);
    ///     while let Some((_, copied)) = copies.next().await {
    ///         bytes += copied?;
    ///         done += 1;
    ///         ctx.set_custom_status(&done)?;
    ///     }
    ///     Ok(bytes)
    /// }
    /// ```
    #[doc(alias = "buffer_unordered")]
    pub fn at_most(self, count: usize) -> Self {
        Self { children: self.children.at_most(count), done: self.done }
    }

    /// Waits for the next result: returns the index of its task in the list, and its output.
    /// Returns `None` once all results have been taken.
    ///
    /// Dropping the returned future, for example when it loses a [`race`](crate::race), loses no
    /// result.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[activity]
    /// # async fn square(n: u64) -> u64 { n * n }
    /// #[orchestrator]
    /// async fn sum(ctx: &OrchestrationContext, upto: u64) -> Result<u64> {
    ///     let mut squares = durable::as_completed((0..upto).map(square));
    ///     let mut sum = 0;
    ///     while let Some((_, square)) = squares.next().await {
    ///         sum += square?;
    ///     }
    ///     Ok(sum)
    /// }
    /// ```
    #[expect(clippy::should_implement_trait, reason = "its `next` is awaited")]
    pub fn next(&mut self) -> NextCompleted<'_, F> {
        NextCompleted { tasks: self }
    }
}

/// The future of [`AsCompleted::next`].
///
/// ```
/// # use durable::prelude::*;
/// # use std::time::Duration;
/// # #[activity]
/// # async fn check(site: &str) -> Result<bool> { Ok(site.is_empty()) }
/// #[orchestrator]
/// async fn first(ctx: &OrchestrationContext, sites: Vec<String>) -> Result<bool> {
///     let mut checks = durable::as_completed(sites.iter().map(|site| check(site)));
///     // Give up if no check completes within a minute.
///     let first = durable::timeout(Duration::from_secs(60), checks.next()).await;
///     Ok(matches!(first, Ok(Some((_, Ok(true))))))
/// }
/// ```
#[must_use = "a future does nothing until it is awaited"]
#[derive(Debug)]
pub struct NextCompleted<'a, F: Future> {
    tasks: &'a mut AsCompleted<F>,
}

#[diagnostic::do_not_recommend]
impl<F: Future> Durable for NextCompleted<'_, F> {}

impl<F: Future> Future for NextCompleted<'_, F> {
    type Output = Option<(usize, F::Output)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let AsCompleted { children, done } = &mut *self.get_mut().tasks;
        children.poll(cx, |index, _| {
            done.push_back(index);
            false
        });
        match done.pop_front() {
            Some(index) => Poll::Ready(children.all[index].take().map(|output| (index, output))),
            None if children.pending == 0 => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}
