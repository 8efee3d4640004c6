//! Durable timers and timeouts.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::durable::Durable;
use super::request::{Ask, Request};
use super::scope::Scope;
use crate::protocol::Timestamp;

/// When a timer is due: after a duration, or at a point in time.
///
/// Implemented by `std::time::Duration`, `chrono::TimeDelta` and `chrono::DateTime<Utc>`. A time in
/// the past is due at once. A time beyond the range of `DateTime<Utc>` never comes.
///
/// ```
/// # use durable::prelude::*;
/// use durable::chrono::TimeDelta;
/// use std::time::Duration;
///
/// #[orchestrator]
/// async fn rest(ctx: &OrchestrationContext) -> Result<()> {
///     ctx.create_timer(Duration::from_secs(60)).await; // a duration
///     let tomorrow = ctx.current_utc_datetime() + TimeDelta::days(1);
///     ctx.create_timer(tomorrow).await; // a point in time
///     Ok(())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a duration or a point in time",
    label = "expected a duration from now, or a date and time",
    note = "write a `std::time::Duration`, a `chrono::TimeDelta` or a `chrono::DateTime<Utc>`"
)]
pub trait When {
    #[doc(hidden)]
    fn due(self) -> Due;
}

/// A point in time, or a duration from now.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Due {
    At(DateTime<Utc>),
    After(TimeDelta),
}

impl Due {
    pub(crate) fn from(self, now: Timestamp) -> Timestamp {
        Timestamp::new(match self {
            Self::At(time) => time,
            Self::After(delay) => {
                let beyond = if delay < TimeDelta::zero() {
                    DateTime::<Utc>::MIN_UTC
                } else {
                    DateTime::<Utc>::MAX_UTC
                };
                now.to_datetime().checked_add_signed(delay).unwrap_or(beyond)
            }
        })
    }
}

impl When for Duration {
    fn due(self) -> Due {
        Due::After(TimeDelta::from_std(self).unwrap_or(TimeDelta::MAX))
    }
}

impl When for TimeDelta {
    fn due(self) -> Due {
        Due::After(self)
    }
}

impl When for DateTime<Utc> {
    fn due(self) -> Due {
        Due::At(self)
    }
}

/// A durable timer: it completes when it is due, even if the process was restarted in between.
/// Dropping it cancels it.
///
/// ```
/// # use durable::prelude::*;
/// # use std::time::Duration;
/// #[orchestrator]
/// async fn remind(ctx: &OrchestrationContext) -> String {
///     ctx.create_timer(Duration::from_hours(72)).await;
///     "three days have passed".into()
/// }
/// ```
#[must_use = "a timer does nothing until it is awaited"]
pub struct Timer {
    scope: Rc<Scope>,
    state: State,
}

enum State {
    Lazy { fire_at: Timestamp, limit: Option<Duration>, source: &'static Location<'static> },
    Scheduled(i32),
    Fired,
}

impl Timer {
    pub(crate) fn new(
        scope: Rc<Scope>,
        when: impl When,
        source: &'static Location<'static>,
    ) -> Self {
        let fire_at = when.due().from(scope.clock());
        Self { scope, state: State::Lazy { fire_at, limit: None, source } }
    }

    /// The timer of a [`timeout`].
    fn limit(scope: Rc<Scope>, when: impl When, source: &'static Location<'static>) -> Self {
        let due = when.due();
        let fire_at = due.from(scope.clock());
        let limit = match due {
            Due::At(_) => None,
            Due::After(delay) => Some(delay.to_std().unwrap_or_default()),
        };
        Self { scope, state: State::Lazy { fire_at, limit, source } }
    }
}

#[diagnostic::do_not_recommend]
impl Durable for Timer {}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if let State::Lazy { fire_at, limit, source } = self.state {
            let request = Request { ask: Ask::Timer { fire_at, limit }, source };
            let id = self.scope.request(Box::new(request));
            self.state = State::Scheduled(id);
        }
        match self.state {
            State::Scheduled(id) => match self.scope.take_result(id) {
                Some(_fired) => {
                    self.state = State::Fired;
                    Poll::Ready(())
                }
                None => Poll::Pending,
            },
            State::Lazy { .. } => Poll::Pending,
            State::Fired => Poll::Ready(()),
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let (State::Scheduled(id), Some(scope)) = (&self.state, Scope::current()) {
            scope.abandon(*id);
        }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Lazy { .. } => "Timer(not scheduled)",
            State::Scheduled(_) => "Timer(scheduled)",
            State::Fired => "Timer(fired)",
        })
    }
}

/// Waits for `task`, but no longer than `limit`.
///
/// If the limit is exceeded, the task is dropped, which cancels it. If the task finishes in time,
/// the timer is cancelled. After a [rewind](crate::InstanceHandle::rewind) a `limit` that is a
/// duration counts from the rewind.
///
/// ```
/// # use durable::prelude::*;
/// # use std::time::Duration;
/// # #[activity]
/// # async fn quote(part: &str) -> Result<u64> { Ok(1) }
/// #[orchestrator]
/// async fn try_get_quote(ctx: &OrchestrationContext, part: String) -> Result<Option<u64>> {
///     match durable::timeout(Duration::from_secs(30), quote(&part)).await {
///         Ok(price) => Ok(Some(price?)),
///         Err(_elapsed) => Ok(None),
///     }
/// }
/// ```
#[track_caller]
pub fn timeout<F: Durable + IntoFuture>(limit: impl When, task: F) -> Timeout<F::IntoFuture> {
    // Not in the closure, where it would be this line.
    let caller = Location::caller();
    let timer = Scope::current().map(|scope| Timer::limit(scope, limit, caller));
    Timeout { task: Box::pin(task.into_future()), timer }
}

/// The future of [`timeout`].
///
/// ```
/// # use durable::prelude::*;
/// use std::time::Duration;
///
/// #[orchestrator]
/// async fn approve(ctx: &OrchestrationContext) -> Result<bool> {
///     let approval = ctx.wait_for_external_event::<bool>("approval");
///     match durable::timeout(Duration::from_secs(3_600), approval).await {
///         Ok(approved) => Ok(approved?),
///         Err(durable::task::Elapsed) => Ok(false),
///     }
/// }
/// ```
#[must_use = "a future does nothing until it is awaited"]
pub struct Timeout<F> {
    task: Pin<Box<F>>,
    /// `None` outside an orchestrator, where the task itself reports the mistake.
    timer: Option<Timer>,
}

/// The error of a [`timeout`] whose limit was exceeded.
///
/// ```
/// # use durable::prelude::*;
/// use durable::task::Elapsed;
/// use std::time::Duration;
///
/// /// Waits for a result, but not for longer than a second.
/// async fn wait(hub: &TaskHub, instance: &durable::client::InstanceHandle) {
///     let wait = hub.timeout(Duration::from_secs(1), instance.result_json());
///     if let Err(Elapsed) = wait.await {
///         println!("still running");
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time was up before the task was done")]
pub struct Elapsed;

#[diagnostic::do_not_recommend]
impl<F> Durable for Timeout<F> {}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(output) = self.task.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        match &mut self.timer {
            Some(timer) => Pin::new(timer).poll(cx).map(|()| Err(Elapsed)),
            None => Poll::Pending,
        }
    }
}

impl<F> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout").field("timer", &self.timer).finish_non_exhaustive()
    }
}
