//! The first of several, in which every task has its own type.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::orchestration::durable::{Durable, DurableTuple};

/// Waits for the first task of a tuple (of two to eight) that is done: the rest is dropped then,
/// which cancels it.
///
/// What came first is what stands first in the history, so every replay has the same winner. Of
/// tasks that are done when the race is first polled, the first in the tuple wins, and those behind
/// it are not begun.
///
/// ```
/// # use durable::prelude::*;
/// use durable::Race2;
/// # #[activity]
/// # async fn from_cache(key: &str) -> Result<String> { Ok("old".into()) }
/// # #[activity]
/// # async fn from_archive(key: &str) -> Result<String> { Ok("new".into()) }
/// #[orchestrator]
/// async fn lookup(ctx: &OrchestrationContext, key: String) -> Result<String> {
///     match durable::race((from_cache(&key), from_archive(&key))).await {
///         Race2::First(cached) => Ok(cached?),
///         Race2::Second(archived) => Ok(format!("{} (from the archive)", archived?)),
///     }
/// }
/// ```
pub fn race<T: DurableTuple + RaceTuple>(tasks: T) -> Race<T> {
    Race { children: Some(tasks.into_children()) }
}

/// A tuple of tasks for [`race`].
#[diagnostic::on_unimplemented(
    message = "there is no race of `{Self}`",
    label = "a race is of a tuple of two to eight tasks",
    note = "of a list: `durable::select_all(..)`, or `durable::as_completed(..)` for all as they come"
)]
pub trait RaceTuple {
    #[doc(hidden)]
    type Children;
    #[doc(hidden)]
    type Output;

    #[doc(hidden)]
    fn into_children(self) -> Self::Children;
    #[doc(hidden)]
    fn poll(children: &mut Self::Children, cx: &mut Context<'_>) -> Poll<Self::Output>;
}

/// The future of [`race`].
#[must_use = "a future does nothing until it is awaited"]
pub struct Race<T: RaceTuple> {
    children: Option<T::Children>,
}

impl<T: RaceTuple> Unpin for Race<T> {}

#[diagnostic::do_not_recommend]
impl<T: RaceTuple> Durable for Race<T> {}

impl<T: RaceTuple> Future for Race<T> {
    type Output = T::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T::Output> {
        let slot = &mut self.get_mut().children;
        let Some(children) = slot else { return Poll::Pending };
        let output = ready!(T::poll(children, cx));
        *slot = None;
        Poll::Ready(output)
    }
}

impl<T: RaceTuple> fmt::Debug for Race<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Race").finish_non_exhaustive()
    }
}

macro_rules! races {
    ($(
        $race:ident of $count:literal
        ($($future:ident $variant:ident $place:literal $index:tt),+)
    )+) => {$(
        #[doc = concat!("Who of ", $count, " was done first, with its result: see [`race`].")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $race<$($future),+> {
            $(
                #[doc = concat!("The ", $place, " was done first.")]
                $variant($future),
            )+
        }

        impl<$($future: IntoFuture),+> RaceTuple for ($($future,)+) {
            type Children = ($(Pin<Box<$future::IntoFuture>>,)+);
            type Output = $race<$($future::Output),+>;

            fn into_children(self) -> Self::Children {
                ($(Box::pin(self.$index.into_future()),)+)
            }

            fn poll(children: &mut Self::Children, cx: &mut Context<'_>) -> Poll<Self::Output> {
                $(
                    if let Poll::Ready(output) = children.$index.as_mut().poll(cx) {
                        return Poll::Ready($race::$variant(output));
                    }
                )+
                Poll::Pending
            }
        }
    )+};
}

races! {
    Race2 of "two" (
        A First "first" 0, B Second "second" 1
    )
    Race3 of "three" (
        A First "first" 0, B Second "second" 1, C Third "third" 2
    )
    Race4 of "four" (
        A First "first" 0, B Second "second" 1, C Third "third" 2, D Fourth "fourth" 3
    )
    Race5 of "five" (
        A First "first" 0, B Second "second" 1, C Third "third" 2, D Fourth "fourth" 3,
        E Fifth "fifth" 4
    )
    Race6 of "six" (
        A First "first" 0, B Second "second" 1, C Third "third" 2, D Fourth "fourth" 3,
        E Fifth "fifth" 4, F Sixth "sixth" 5
    )
    Race7 of "seven" (
        A First "first" 0, B Second "second" 1, C Third "third" 2, D Fourth "fourth" 3,
        E Fifth "fifth" 4, F Sixth "sixth" 5, G Seventh "seventh" 6
    )
    Race8 of "eight" (
        A First "first" 0, B Second "second" 1, C Third "third" 2, D Fourth "fourth" 3,
        E Fifth "fifth" 4, F Sixth "sixth" 5, G Seventh "seventh" 6, H Eighth "eighth" 7
    )
}
