//! Waiting for several tasks at once.
//!
//! They are functions, not macros, so that `#[orchestrator]` sees inside of them. Children are
//! polled in the order in which they are given, those first that are first in the list: which is
//! what makes the order of their requests the same in every replay.

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::durable::{Durable, DurableTuple};
use super::scope::Scope;

/// Waits for all of `tasks` and gives their results in the same order.
///
/// All are begun at once. A task is polled when it is begun and when it is done, however many
/// others there are.
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

/// Waits for all of `tasks`, or for the first that fails: the rest is dropped then, which cancels
/// it.
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

/// A child of a group: polled until it is done, then its result.
#[doc(hidden)]
#[derive(Debug)]
pub struct Child<F: Future>(Progress<F>);

enum Progress<F: Future> {
    Pending(Pin<Box<F>>),
    Done(F::Output),
    Taken,
}

impl<F: Future> fmt::Debug for Progress<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending(_) => "pending",
            Self::Done(_) => "done",
            Self::Taken => "taken",
        })
    }
}

impl<F: Future> Child<F> {
    fn new(task: impl IntoFuture<IntoFuture = F>) -> Self {
        Self(Progress::Pending(Box::pin(task.into_future())))
    }

    /// Whether the child has just become done.
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let Progress::Pending(future) = &mut self.0 else { return false };
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => {
                self.0 = Progress::Done(output);
                true
            }
            Poll::Pending => false,
        }
    }

    fn is_done(&self) -> bool {
        !matches!(self.0, Progress::Pending(_))
    }

    fn take(&mut self) -> Option<F::Output> {
        match std::mem::replace(&mut self.0, Progress::Taken) {
            Progress::Done(output) => Some(output),
            Progress::Pending(_) | Progress::Taken => None,
        }
    }
}

impl<T, E, F: Future<Output = Result<T, E>>> Child<F> {
    fn has_failed(&self) -> bool {
        matches!(self.0, Progress::Done(Err(_)))
    }
}

/// Any number of children, of which only those are polled that a result has marked.
struct Children<F: Future> {
    all: Vec<Child<F>>,
    pending: usize,
    group: Option<(Rc<Scope>, u32)>,
}

impl<F: Future> Children<F> {
    fn new<I>(tasks: I) -> Self
    where
        I: IntoIterator<Item: IntoFuture<IntoFuture = F>>,
    {
        let all: Vec<_> = tasks.into_iter().map(Child::new).collect();
        Self { pending: all.len(), all, group: None }
    }

    /// Polls the children that may have got further; gives those that are done now.
    fn poll(&mut self, cx: &mut Context<'_>) -> Vec<usize> {
        let Some((scope, group)) = &self.group else { return self.poll_all(cx) };
        let (scope, group) = (Rc::clone(scope), *group);
        let woken = scope.take_woken(group);
        self.poll_some(&scope, group, woken.into_iter(), cx)
    }

    fn poll_all(&mut self, cx: &mut Context<'_>) -> Vec<usize> {
        let every = 0..self.all.len();
        if let Some(scope) = Scope::current() {
            let group = scope.new_group();
            self.group = Some((Rc::clone(&scope), group));
            return self.poll_some(&scope, group, every, cx);
        }
        let done: Vec<_> = every.filter(|&index| self.all[index].poll(cx)).collect();
        self.pending -= done.len();
        done
    }

    fn poll_some(
        &mut self,
        scope: &Scope,
        group: u32,
        indices: impl Iterator<Item = usize>,
        cx: &mut Context<'_>,
    ) -> Vec<usize> {
        let poll = |&index: &usize| scope.poll_child(group, index, || self.all[index].poll(cx));
        let done: Vec<_> = indices.filter(poll).collect();
        self.pending -= done.len();
        done
    }

    fn take_outputs(&mut self) -> impl Iterator<Item = F::Output> {
        self.all.iter_mut().filter_map(Child::take)
    }
}

impl<F: Future> Drop for Children<F> {
    fn drop(&mut self) {
        if let Some((scope, group)) = &self.group {
            scope.forget_group(*group);
        }
    }
}

impl<F: Future> fmt::Debug for Children<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} pending", self.pending, self.all.len())
    }
}

/// The future of [`join_all`].
#[must_use = "a future does nothing until it is awaited"]
#[derive(Debug)]
pub struct JoinAll<F: Future> {
    children: Children<F>,
}

impl<F: Future> Unpin for JoinAll<F> {}

#[diagnostic::do_not_recommend]
impl<F: Future> Durable for JoinAll<F> {}

impl<F: Future> Future for JoinAll<F> {
    type Output = Vec<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let children = &mut self.get_mut().children;
        children.poll(cx);
        if children.pending == 0 {
            Poll::Ready(children.take_outputs().collect())
        } else {
            Poll::Pending
        }
    }
}

/// The future of [`try_join_all`].
#[must_use = "a future does nothing until it is awaited"]
#[derive(Debug)]
pub struct TryJoinAll<F: Future> {
    children: Children<F>,
}

impl<F: Future> Unpin for TryJoinAll<F> {}

#[diagnostic::do_not_recommend]
impl<F: Future> Durable for TryJoinAll<F> {}

impl<T, E, F: Future<Output = Result<T, E>>> Future for TryJoinAll<F> {
    type Output = Result<Vec<T>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let children = &mut self.get_mut().children;
        let done = children.poll(cx);
        let failed = done.into_iter().find(|&index| children.all[index].has_failed());
        if let Some(Some(Err(error))) = failed.map(|index| children.all[index].take()) {
            children.all.clear();
            return Poll::Ready(Err(error));
        }
        if children.pending == 0 {
            Poll::Ready(children.take_outputs().collect())
        } else {
            Poll::Pending
        }
    }
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
