//! Waiting for all of a tuple, in which every task has its own type.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::Child;
use crate::orchestration::durable::{Durable, DurableTuple};

/// Waits for all tasks of a tuple (of up to eight) and gives a tuple of their results.
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
pub fn join<T: DurableTuple + JoinTuple>(tasks: T) -> Join<T> {
    Join { children: tasks.into_children() }
}

/// Waits for all tasks of a tuple (of up to eight), or for the first that fails: the rest is
/// dropped then, which cancels it. All errors must be of one type.
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
pub fn try_join<T: DurableTuple + TryJoinTuple>(tasks: T) -> TryJoin<T> {
    TryJoin { children: Some(tasks.into_children()) }
}

/// A tuple of tasks for [`join`].
pub trait JoinTuple {
    #[doc(hidden)]
    type Children;
    #[doc(hidden)]
    type Outputs;

    #[doc(hidden)]
    fn into_children(self) -> Self::Children;
    #[doc(hidden)]
    fn poll(children: &mut Self::Children, cx: &mut Context<'_>) -> Poll<Option<Self::Outputs>>;
}

/// A tuple of tasks for [`try_join`].
pub trait TryJoinTuple {
    #[doc(hidden)]
    type Children;
    #[doc(hidden)]
    type Outputs;
    #[doc(hidden)]
    type Error;

    #[doc(hidden)]
    fn into_children(self) -> Self::Children;
    #[doc(hidden)]
    fn poll(
        children: &mut Self::Children,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Self::Outputs, Self::Error>>>;
}

/// The future of [`join`].
#[must_use = "a future does nothing until it is awaited"]
pub struct Join<T: JoinTuple> {
    children: T::Children,
}

impl<T: JoinTuple> Unpin for Join<T> {}

#[diagnostic::do_not_recommend]
impl<T: JoinTuple> Durable for Join<T> {}

impl<T: JoinTuple> Future for Join<T> {
    type Output = T::Outputs;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T::Outputs> {
        let outputs = ready!(T::poll(&mut self.get_mut().children, cx));
        outputs.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T: JoinTuple> fmt::Debug for Join<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").finish_non_exhaustive()
    }
}

/// The future of [`try_join`].
#[must_use = "a future does nothing until it is awaited"]
pub struct TryJoin<T: TryJoinTuple> {
    children: Option<T::Children>,
}

impl<T: TryJoinTuple> Unpin for TryJoin<T> {}

#[diagnostic::do_not_recommend]
impl<T: TryJoinTuple> Durable for TryJoin<T> {}

impl<T: TryJoinTuple> Future for TryJoin<T> {
    type Output = Result<T::Outputs, T::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let slot = &mut self.get_mut().children;
        let Some(children) = slot else { return Poll::Pending };
        let outputs = ready!(T::poll(children, cx));
        *slot = None;
        outputs.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T: TryJoinTuple> fmt::Debug for TryJoin<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryJoin").finish_non_exhaustive()
    }
}

macro_rules! tuples {
    ($(($($future:ident $output:ident $index:tt),+))+) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($future: Durable),+> DurableTuple for ($($future,)+) {}

        impl<$($future: IntoFuture),+> JoinTuple for ($($future,)+) {
            type Children = ($(Child<$future::IntoFuture>,)+);
            type Outputs = ($($future::Output,)+);

            fn into_children(self) -> Self::Children {
                ($(Child::new(self.$index),)+)
            }

            fn poll(
                children: &mut Self::Children,
                cx: &mut Context<'_>,
            ) -> Poll<Option<Self::Outputs>> {
                $(children.$index.poll(cx);)+
                if $(children.$index.is_done())&&+ {
                    let mut take = || Some(($(children.$index.take()?,)+));
                    Poll::Ready(take())
                } else {
                    Poll::Pending
                }
            }
        }

        impl<Failure, $($output,)+ $($future: IntoFuture<Output = Result<$output, Failure>>),+>
            TryJoinTuple for ($($future,)+)
        {
            type Children = ($(Child<$future::IntoFuture>,)+);
            type Outputs = ($($output,)+);
            type Error = Failure;

            fn into_children(self) -> Self::Children {
                ($(Child::new(self.$index),)+)
            }

            fn poll(
                children: &mut Self::Children,
                cx: &mut Context<'_>,
            ) -> Poll<Option<Result<Self::Outputs, Failure>>> {
                $(
                    children.$index.poll(cx);
                    if children.$index.has_failed() {
                        let failed = children.$index.take();
                        return Poll::Ready(failed.and_then(|result| result.err().map(Err)));
                    }
                )+
                if $(children.$index.is_done())&&+ {
                    let mut take = || Some(($(children.$index.take()?,)+));
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
