//! Sleeping on the async runtime, with or without its time driver.
//!
//! A runtime may be built without `enable_time`; tokio then panics when a timer is created. On such
//! a runtime the hub sleeps with the help of a thread of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::clock;
#[cfg(feature = "testing")]
use super::virtual_time::VirtualTime;
use crate::panics;

/// The furthest wake-up time that the clock can represent for sure.
const FAR: Duration = Duration::from_hours(24 * 365 * 30);

/// What ends a sleep.
#[derive(Clone, Debug)]
pub(crate) enum Timer {
    /// The runtime's time driver.
    Driver,
    /// A thread of the hub.
    Thread(Arc<Alarms>),
    /// The virtual time of a simulation.
    #[cfg(feature = "testing")]
    Virtual(Arc<VirtualTime>),
}

/// The sleeping tasks, by the time to wake them.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    sleepers: BTreeMap<(Instant, u64), oneshot::Sender<()>>,
    next: u64,
    closed: bool,
}

impl Timer {
    /// The timer for a runtime. For the variant `Thread`, the caller [runs](Alarms::run) the thread.
    pub(crate) fn of(runtime: &Handle) -> Self {
        let _entered = runtime.enter();
        // Tokio has no other way to find out.
        let has_driver = panics::quiet(|| drop(tokio::time::sleep(Duration::ZERO))).is_ok();
        if has_driver { Self::Driver } else { Self::Thread(Arc::default()) }
    }

    /// Sleeps for this time, counted from the first poll. Returns early if the hub stops.
    pub(crate) async fn sleep(&self, time: Duration) {
        match self {
            Self::Driver => tokio::time::sleep(time).await,
            Self::Thread(alarms) => drop(alarms.set(time).await),
            #[cfg(feature = "testing")]
            Self::Virtual(virtual_time) => drop(virtual_time.sleep(time).await),
        }
    }

    /// Ends the thread, if there is one.
    pub(crate) fn close(&self) {
        if let Self::Thread(alarms) = self {
            alarms.state().closed = true;
            alarms.changed.notify_one();
        }
    }
}

impl Alarms {
    fn set(&self, time: Duration) -> oneshot::Receiver<()> {
        let (sender, awake) = oneshot::channel();
        let now = clock::stopwatch();
        let at = now.checked_add(time).unwrap_or(now + FAR);
        let mut state = self.state();
        if state.closed {
            return awake;
        }
        state.sleepers.retain(|_, sleeper| !sleeper.is_closed());
        let number = state.next;
        state.next += 1;
        state.sleepers.insert((at, number), sender);
        self.changed.notify_one();
        awake
    }

    /// Wakes tasks at their time, until the timer is closed.
    pub(crate) fn run(&self) {
        let mut state = self.state();
        while !state.closed {
            let now = clock::stopwatch();
            let wait = match state.sleepers.first_entry() {
                Some(first) if first.key().0 <= now => {
                    let sleeper = first.remove();
                    drop(state);
                    panics::shield(|| _ = sleeper.send(()));
                    state = self.state();
                    continue;
                }
                Some(first) => first.key().0 - now,
                None => Duration::MAX,
            };
            let woken = self.changed.wait_timeout(state, wait);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        // Those who still sleep are woken.
        let sleepers = std::mem::take(&mut state.sleepers);
        drop(state);
        panics::shield(|| drop(sleepers));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    #[test]
    fn nobody_sleeps_once_the_timer_is_closed() {
        let alarms = Arc::<Alarms>::default();
        let mut early = alarms.set(FAR);
        thread::scope(|scope| {
            scope.spawn(|| alarms.run());
            Timer::Thread(Arc::clone(&alarms)).close();
        });
        assert_eq!(early.try_recv(), Err(TryRecvError::Closed));
        assert_eq!(alarms.set(FAR).try_recv(), Err(TryRecvError::Closed));
    }
}
