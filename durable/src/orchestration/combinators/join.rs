//! `join` and `try_join`: all tasks of a tuple, each with its own type.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::Child;
use crate::orchestration::durable::Durable;

/// Waits for all tasks of a tuple (of up to eight) and returns a tuple of their results.
///
/// ```
/// # use durable::prelude::*;
/// # #[activity]
/// # async fn flight(to: &str) -> Result<String> { Ok("ok".into()) }
/// # #[activity]
/// # async fn hotel(town: &str) -> Result<String> { Ok("ok".into()) }
/// #[orchestrator]
/// async fn journey(ctx: &OrchestrationContext, town: String) -> Result<String> {
///     let (flight, hotel) = durable::join((flight(&town), hotel(&town))).await;
///     Ok(format!("{}, {}", flight?, hotel?))
/// }
/// ```
pub fn join<T: JoinTuple<Children = C>, C>(tasks: T) -> Join<C> {
    Join { children: tasks.into_children() }
}

/// Waits for all tasks of a tuple (of up to eight), or for the first that fails; the others are then
/// dropped, which cancels them. All errors must have the same type.
///
/// ```
/// # use durable::prelude::*;
/// # #[activity]
/// # async fn flight(to: &str) -> Result<String> { Ok("ok".into()) }
/// # #[activity]
/// # async fn hotel(town: &str) -> Result<String> { Ok("ok".into()) }
/// #[orchestrator]
/// async fn journey(ctx: &OrchestrationContext, town: String) -> Result<(String, String)> {
///     Ok(durable::try_join((flight(&town), hotel(&town))).await?)
/// }
/// ```
pub fn try_join<T: TryJoinTuple<Children = C>, C>(tasks: T) -> TryJoin<C> {
    TryJoin { children: Some(tasks.into_children()) }
}

/// A tuple of tasks for [`join`].
///
/// ```
/// # use durable::prelude::*;
/// # #[activity]
/// # async fn price(item: &str) -> Result<u32> { Ok(item.len() as u32) }
/// # #[activity]
/// # async fn stock(item: &str) -> Result<u64> { Ok(item.len() as u64) }
/// #[orchestrator]
/// async fn offer(ctx: &OrchestrationContext, item: String) -> Result<(u32, u64)> {
///     let (price, stock) = durable::join((price(&item), stock(&item))).await;
///     Ok((price?, stock?))
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`durable::join` cannot wait for `{Self}`",
    label = "it waits for a tuple of up to eight tasks, such as `(a, b)`",
    note = "for a list of tasks: `durable::join_all(..)`"
)]
pub trait JoinTuple {
    #[doc(hidden)]
    type Children: JoinChildren;

    #[doc(hidden)]
    fn into_children(self) -> Self::Children;
}

/// The tasks of a [`join`], done or not.
#[doc(hidden)]
pub trait JoinChildren {
    type Outputs;

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::Outputs>>;
}

/// A tuple of tasks for [`try_join`].
///
/// ```
/// # use durable::prelude::*;
/// # #[activity]
/// # async fn price(item: &str) -> Result<u32> { Ok(item.len() as u32) }
/// # #[activity]
/// # async fn stock(item: &str) -> Result<u64> { Ok(item.len() as u64) }
/// #[orchestrator]
/// async fn offer(ctx: &OrchestrationContext, item: String) -> Result<(u32, u64)> {
///     Ok(durable::try_join((price(&item), stock(&item))).await?)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`durable::try_join` cannot wait for `{Self}`",
    label = "it waits for a tuple of up to eight tasks that return a `Result`, such as `(a, b)`",
    note = "for a list of tasks: `durable::try_join_all(..)`"
)]
pub trait TryJoinTuple {
    #[doc(hidden)]
    type Children: TryJoinChildren;

    #[doc(hidden)]
    fn into_children(self) -> Self::Children;
}

/// The tasks of a [`try_join`], done or not.
#[doc(hidden)]
pub trait TryJoinChildren {
    type Outputs;
    type Error;

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Self::Outputs, Self::Error>>>;
}

/// The future of [`join`].
///
/// ```
/// # use durable::prelude::*;
/// # #[activity]
/// # async fn work(part: u32) -> Result<u32> { Ok(part) }
/// #[orchestrator]
/// async fn both(ctx: &OrchestrationContext) -> Result<u32> {
///     let both = durable::join((work(1), work(2))); // nothing is requested yet
///     let (first, second) = both.await;
///     Ok(first? + second?)
/// }
/// ```
#[must_use = "a future does nothing until it is awaited"]
pub struct Join<C> {
    children: C,
}

impl<C> Unpin for Join<C> {}

#[diagnostic::do_not_recommend]
impl<C> Durable for Join<C> {}

impl<C: JoinChildren> Future for Join<C> {
    type Output = C::Outputs;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Outputs> {
        let outputs = ready!(self.get_mut().children.poll(cx));
        outputs.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<C> fmt::Debug for Join<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").finish_non_exhaustive()
    }
}

/// The future of [`try_join`].
///
/// ```
/// # use durable::prelude::*;
/// # use std::time::Duration;
/// # #[activity]
/// # async fn work(part: u32) -> Result<u32> { Ok(part) }
/// #[orchestrator]
/// async fn both(ctx: &OrchestrationContext) -> Result<u32> {
///     let both = durable::try_join((work(1), work(2)));
///     let (first, second) = durable::timeout(Duration::from_secs(60), both).await??;
///     Ok(first + second)
/// }
/// ```
#[must_use = "a future does nothing until it is awaited"]
pub struct TryJoin<C> {
    children: Option<C>,
}

impl<C> Unpin for TryJoin<C> {}

#[diagnostic::do_not_recommend]
impl<C> Durable for TryJoin<C> {}

impl<C: TryJoinChildren> Future for TryJoin<C> {
    type Output = Result<C::Outputs, C::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let slot = &mut self.get_mut().children;
        let Some(children) = slot else { return Poll::Pending };
        let outputs = ready!(children.poll(cx));
        *slot = None;
        outputs.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<C> fmt::Debug for TryJoin<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryJoin").finish_non_exhaustive()
    }
}

macro_rules! tuples {
    ($(($($future:ident $output:ident $index:tt),+))+) => {$(
        impl<$($future: Durable + IntoFuture),+> JoinTuple for ($($future,)+) {
            type Children = ($(Child<$future::IntoFuture>,)+);

            fn into_children(self) -> Self::Children {
                ($(Child::new(self.$index),)+)
            }
        }

        impl<$($future: Future),+> JoinChildren for ($(Child<$future>,)+) {
            type Outputs = ($($future::Output,)+);

            fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::Outputs>> {
                $(self.$index.poll(cx);)+
                if $(self.$index.is_done())&&+ {
                    let mut take = || Some(($(self.$index.take()?,)+));
                    Poll::Ready(take())
                } else {
                    Poll::Pending
                }
            }
        }

        impl<
            Failure,
            $($output,)+
            $($future: Durable + IntoFuture<Output = Result<$output, Failure>>),+
        > TryJoinTuple for ($($future,)+)
        {
            type Children = ($(Child<$future::IntoFuture>,)+);

            fn into_children(self) -> Self::Children {
                ($(Child::new(self.$index),)+)
            }
        }

        impl<Failure, $($output,)+ $($future: Future<Output = Result<$output, Failure>>),+>
            TryJoinChildren for ($(Child<$future>,)+)
        {
            type Outputs = ($($output,)+);
            type Error = Failure;

            fn poll(
                &mut self,
                cx: &mut Context<'_>,
            ) -> Poll<Option<Result<Self::Outputs, Failure>>> {
                $(
                    self.$index.poll(cx);
                    if self.$index.has_failed() {
                        let failed = self.$index.take();
                        return Poll::Ready(failed.and_then(|result| result.err().map(Err)));
                    }
                )+
                if $(self.$index.is_done())&&+ {
                    let mut take = || Some(($(self.$index.take()?,)+));
                    Poll::Ready(take().map(|results| Ok(($(results.$index?,)+))))
                } else {
                    Poll::Pending
                }
            }
        }
    )+};
}

tuples! {
    (A Oa 0)
    (A Oa 0, B Ob 1)
    (A Oa 0, B Ob 1, C Oc 2)
    (A Oa 0, B Ob 1, C Oc 2, D Od 3)
    (A Oa 0, B Ob 1, C Oc 2, D Od 3, E Oe 4)
    (A Oa 0, B Ob 1, C Oc 2, D Od 3, E Oe 4, F Of 5)
    (A Oa 0, B Ob 1, C Oc 2, D Od 3, E Oe 4, F Of 5, G Og 6)
    (A Oa 0, B Ob 1, C Oc 2, D Od 3, E Oe 4, F Of 5, G Og 6, H Oh 7)
}
