//! Short waits: spinning before blocking, deadlines, and the first of two futures.
//!
//! Waking a thread takes longer than most activities. A thread whose last wait was short therefore
//! spins briefly before it blocks.

use std::pin::Pin;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use super::clock;

/// How long a thread spins before it blocks.
pub(crate) const SPIN_TIME: Duration = Duration::from_micros(50);
/// A wait below this, including the time to wake up, counts as short.
pub(crate) const SHORT: Duration = Duration::from_micros(75);

/// Decides whether a thread spins, by how long its last wait took.
#[derive(Debug)]
pub(crate) struct Patience {
    may_spin: bool,
    comes_soon: bool,
}

impl Patience {
    pub(crate) fn new(may_spin: bool) -> Self {
        Self { may_spin, comes_soon: false }
    }

    /// Returns the result of `look` while spinning, otherwise the result of the blocking `sleep`.
    pub(crate) fn wait<T>(&mut self, look: impl Fn() -> Option<T>, sleep: impl FnOnce() -> T) -> T {
        if let Some(found) = look() {
            return found;
        }
        let since = clock::stopwatch();
        let looks_for = if self.comes_soon { SPIN_TIME } else { Duration::ZERO };
        while since.elapsed() < looks_for {
            // Yield: the thread that we wait for may need this core.
            thread::yield_now();
            if let Some(found) = look() {
                return found;
            }
        }
        let came = sleep();
        self.comes_soon = self.may_spin && since.elapsed() < SHORT;
        came
    }
}

/// The time until which a shutdown waits. Unlimited at first.
#[derive(Debug, Default)]
pub(crate) struct Deadline(Mutex<Option<Instant>>);

impl Deadline {
    /// Sets an earlier limit. The caller wakes the waiters.
    pub(crate) fn limit(&self, at: Instant) {
        let mut deadline = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *deadline = Some(deadline.map_or(at, |earlier| earlier.min(at)));
    }

    fn get(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits on a condition variable, but not beyond the deadline.
    pub(crate) fn wait<'a, T>(
        &self,
        woken: &Condvar,
        guard: MutexGuard<'a, T>,
    ) -> Result<MutexGuard<'a, T>, Late> {
        let Some(deadline) = self.get() else {
            return Ok(woken.wait(guard).unwrap_or_else(PoisonError::into_inner));
        };
        let left = deadline.saturating_duration_since(clock::stopwatch());
        if left.is_zero() {
            return Err(Late);
        }
        Ok(woken.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0)
    }
}

/// The deadline has passed.
#[derive(Debug)]
pub(crate) struct Late;

/// Which of two futures is ready first.
pub(crate) enum First<A, B> {
    /// The first one, also if both are ready.
    This(A),
    /// The second one.
    That(B),
}

/// Awaits the first of two futures that is ready.
pub(crate) async fn first<A: Future, B: Future>(
    mut this: Pin<&mut A>,
    mut that: Pin<&mut B>,
) -> First<A::Output, B::Output> {
    std::future::poll_fn(|cx| match this.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(First::This(output)),
        Poll::Pending => that.as_mut().poll(cx).map(First::That),
    })
    .await
}
