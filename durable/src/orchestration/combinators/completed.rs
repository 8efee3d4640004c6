//! The results of any number of tasks of one type, as they come.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Children;
use crate::orchestration::durable::Durable;

/// Gives the results of `tasks` one by one, in the order in which they are done.
///
/// Nothing is begun before [`next`](AsCompleted::next) is awaited for the first time; then all are.
/// Tasks that are done while the orchestrator awaits something else are kept in their order; blocks
/// of several steps get further only while `next` is awaited. Dropping this cancels those that are
/// not done. A task is polled when it is begun and when it gets further, however many others there
/// are.
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

/// Tasks whose results are taken as they come: what [`as_completed`] gives.
#[must_use = "nothing is begun until `next` is awaited"]
#[derive(Debug)]
pub struct AsCompleted<F: Future> {
    children: Children<F>,
    /// Those that are done and whose results are not taken.
    done: VecDeque<usize>,
}

impl<F: Future> AsCompleted<F> {
    /// Waits for the next result: the index of its task in the list, and what it gave. `None` when
    /// all were given.
    ///
    /// Dropping the future that this returns, as the loser of a [`race`](crate::race) is, loses no
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
