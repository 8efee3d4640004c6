//! Combinators: waiting for several tasks at once.
//!
//! They are functions, not macros, so that `#[orchestrator]` can check their arguments. Children
//! are polled in the order of the list or tuple, which makes the order of their requests the same
//! in every replay.
//!
//! This file holds what the combinators share: children, and groups of children. Read next:
//! `join_all.rs` (the simplest group).

mod completed;
mod join;
mod join_all;
mod race;
mod select;

pub use completed::{AsCompleted, NextCompleted, as_completed};
pub use join::{
    Join, JoinChildren, JoinTuple, TryJoin, TryJoinChildren, TryJoinTuple, join, try_join,
};
pub use join_all::{JoinAll, TryJoinAll, join_all, try_join_all};
pub use race::{
    Race, Race2, Race3, Race4, Race5, Race6, Race7, Race8, RaceChildren, RaceTuple, race,
};
pub use select::{SelectAll, Selectable, select_all};

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::scope::Scope;

/// A child of a group: a future until it is done, then its result.
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

    /// Polls the child; whether it has completed with this poll.
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

    fn into_pending(self) -> Option<Pin<Box<F>>> {
        match self.0 {
            Progress::Pending(future) => Some(future),
            Progress::Done(_) | Progress::Taken => None,
        }
    }
}

impl<T, E, F: Future<Output = Result<T, E>>> Child<F> {
    fn has_failed(&self) -> bool {
        matches!(self.0, Progress::Done(Err(_)))
    }
}

/// A group of children. They are started in order; after that, a child is polled only if a result
/// has marked it.
struct Children<F: Future> {
    all: Vec<Child<F>>,
    /// Number of started children: the first ones of `all`.
    begun: usize,
    /// Number of children that are not done, started or not.
    pending: usize,
    /// The maximum number in flight: started and not done.
    at_most: usize,
    /// Whether marked children are polled in the order of their results, and not of the list.
    in_order_of_results: bool,
    group: Option<(Rc<Scope>, u32)>,
}

impl<F: Future> Children<F> {
    fn new<I>(tasks: I) -> Self
    where
        I: IntoIterator<Item: IntoFuture<IntoFuture = F>>,
    {
        let all: Vec<_> = tasks.into_iter().map(Child::new).collect();
        let (pending, at_most) = (all.len(), usize::MAX);
        Self { all, begun: 0, pending, at_most, in_order_of_results: false, group: None }
    }

    /// Limits the number in flight. With 0 the group would never complete, so 0 counts as 1.
    fn at_most(mut self, count: usize) -> Self {
        self.at_most = count.max(1);
        self
    }

    fn in_order_of_results(mut self) -> Self {
        self.in_order_of_results = true;
        self
    }

    /// Polls the woken children, and starts others up to the limit.
    ///
    /// Each child that completes is passed to `enough`. If that returns true, polling stops and
    /// returns the child's index. The marks of the remaining children are lost, so the caller must
    /// not poll the group again.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut enough: impl FnMut(usize, &Child<F>) -> bool,
    ) -> Option<usize> {
        let mut marked = self.marked();
        if !self.in_order_of_results {
            marked.sort_unstable();
        }
        marked.dedup();
        for index in marked {
            if self.poll_child(index, cx) && enough(index, &self.all[index]) {
                return Some(index);
            }
        }
        while self.begun < self.all.len() && self.running() < self.at_most {
            let index = self.begun;
            self.begun += 1;
            if self.poll_child(index, cx) && enough(index, &self.all[index]) {
                return Some(index);
            }
        }
        None
    }

    /// The started children that may make progress.
    fn marked(&mut self) -> Vec<usize> {
        if let Some((scope, group)) = &self.group {
            return scope.take_woken(*group);
        }
        if let Some(scope) = Scope::current() {
            let group = scope.new_group();
            self.group = Some((scope, group));
        }
        (0..self.begun).collect()
    }

    /// Polls the child; whether it has completed with this poll.
    fn poll_child(&mut self, index: usize, cx: &mut Context<'_>) -> bool {
        let child = &mut self.all[index];
        let is_done = match &self.group {
            Some((scope, group)) => scope.poll_child(*group, index, || child.poll(cx)),
            None => child.poll(cx),
        };
        self.pending -= usize::from(is_done);
        is_done
    }

    /// The number in flight.
    fn running(&self) -> usize {
        self.pending - (self.all.len() - self.begun)
    }

    fn take_outputs(&mut self) -> impl Iterator<Item = F::Output> {
        self.all.iter_mut().filter_map(Child::take)
    }

    /// The children that are not done, in their order.
    fn take_pending(&mut self) -> impl Iterator<Item = Pin<Box<F>>> + use<F> {
        let all = std::mem::take(&mut self.all);
        self.clear();
        all.into_iter().filter_map(Child::into_pending)
    }

    /// Drops all children, which cancels those that are not done.
    fn clear(&mut self) {
        *self = Self::new(std::iter::empty::<F>());
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
