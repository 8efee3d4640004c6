//! Sleeping on the async runtime, whether that has a time driver or not.
//!
//! A runtime is often built without `enable_time`, and tokio panics where a time limit is first set
//! then. Such a hub keeps its time limits on a thread of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::clock;
use crate::panics;

/// As far away as a time limit may be for the clock.
const FAR: Duration = Duration::from_hours(24 * 365 * 30);

/// What wakes those who sleep.
#[derive(Clone, Debug)]
pub(crate) enum Timer {
    /// The runtime's time driver.
    Driver,
    /// A thread of the hub.
    Thread(Arc<Alarms>),
}

/// Who sleeps until when.
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
    /// The timer for a runtime. One that is a thread has yet to be [run](Alarms::run).
    pub(crate) fn of(runtime: &Handle) -> Self {
        let _entered = runtime.enter();
        // There is no other way to ask.
        let has_driver = panics::quiet(|| drop(tokio::time::sleep(Duration::ZERO))).is_ok();
        if has_driver { Self::Driver } else { Self::Thread(Arc::default()) }
    }

    /// Sleeps from the moment that it is first polled. It ends early if the hub stops.
    pub(crate) async fn sleep(&self, time: Duration) {
        match self {
            Self::Driver => tokio::time::sleep(time).await,
            Self::Thread(alarms) => drop(alarms.set(time).await),
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
        state.sleepers.retain(|_, sleeper| !sleeper.is_closed());
        let number = state.next;
        state.next += 1;
        state.sleepers.insert((at, number), sender);
        self.changed.notify_one();
        awake
    }

    /// Wakes those whose time has come, until the timer is closed.
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
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
