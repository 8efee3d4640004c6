//! `race`: the first task of a tuple to complete, each with its own type.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::orchestration::durable::Durable;

/// Waits for the first task of a tuple (of two to eight) to complete; the others are then dropped,
/// which cancels them.
///
/// The winner is the task whose result comes first in the history, so every replay has the same
/// winner. If several tasks are already done when the race is first polled, the first of them in the
/// tuple wins, and the tasks after it do not start.
///
/// ```
/// # use durable::prelude::*;
/// use durable::task::Race2;
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
pub fn race<T: RaceTuple<Children = C>, C>(tasks: T) -> Race<C> {
    Race { children: Some(tasks.into_children()) }
}

/// A tuple of tasks for [`race`].
///
/// This is the only bound of `race`, and its return type contains no projection, so a wrong
/// argument causes a single error.
///
/// ```
/// # use durable::prelude::*;
/// use std::time::Duration;
///
/// # #[activity]
/// # async fn ask(question: &str) -> Result<String> { Ok(question.to_owned()) }
/// #[orchestrator]
/// async fn answer(ctx: &OrchestrationContext, question: String) -> Result<Option<String>> {
///     let timer = ctx.create_timer(Duration::from_secs(60));
///     match durable::race((ask(&question), timer)).await {
///         Race2::First(answer) => Ok(Some(answer?)),
///         Race2::Second(()) => Ok(None),
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`durable::race` cannot wait for `{Self}`",
    label = "it waits for a tuple of two to eight tasks, such as `(a, b)`",
    note = "for a list of tasks: `durable::select_all(..)` for the first, or \
            `durable::as_completed(..)` for each as it completes"
)]
pub trait RaceTuple {
    #[doc(hidden)]
    type Children: RaceChildren;

    #[doc(hidden)]
    fn into_children(self) -> Self::Children;
}

/// The tasks of a race, started or not.
#[doc(hidden)]
pub trait RaceChildren {
    type Output;

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Self::Output>;
}

/// The future of [`race`].
///
/// ```
/// # use durable::prelude::*;
/// # #[activity]
/// # async fn ask(server: &str) -> Result<u32> { Ok(server.len() as u32) }
/// #[orchestrator]
/// async fn fastest(ctx: &OrchestrationContext) -> Result<u32> {
///     let race = durable::race((ask("a.example"), ask("b.example")));
///     match race.await {
///         Race2::First(answer) | Race2::Second(answer) => Ok(answer?),
///     }
/// }
/// ```
#[must_use = "a future does nothing until it is awaited"]
pub struct Race<C> {
    children: Option<C>,
}

impl<C> Unpin for Race<C> {}

#[diagnostic::do_not_recommend]
impl<C> Durable for Race<C> {}

impl<C: RaceChildren> Future for Race<C> {
    type Output = C::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        let slot = &mut self.get_mut().children;
        let Some(children) = slot else { return Poll::Pending };
        let output = ready!(children.poll(cx));
        *slot = None;
        Poll::Ready(output)
    }
}

impl<C> fmt::Debug for Race<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Race").finish_non_exhaustive()
    }
}

macro_rules! races {
    ($(
        $race:ident of $count:literal
        ($($future:ident $variant:ident $place:literal $index:tt),+)
    )+) => {$(
        #[doc = concat!("Which of ", $count, " tasks completed first, with its result; see [`race`].")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $race<$($future),+> {
            $(
                #[doc = concat!("The ", $place, " completed first.")]
                $variant($future),
            )+
        }

        impl<$($future: Durable + IntoFuture),+> RaceTuple for ($($future,)+) {
            type Children = ($(Pin<Box<$future::IntoFuture>>,)+);

            fn into_children(self) -> Self::Children {
                ($(Box::pin(self.$index.into_future()),)+)
            }
        }

        impl<$($future: Future),+> RaceChildren for ($(Pin<Box<$future>>,)+) {
            type Output = $race<$($future::Output),+>;

            fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Self::Output> {
                $(
                    if let Poll::Ready(output) = self.$index.as_mut().poll(cx) {
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
