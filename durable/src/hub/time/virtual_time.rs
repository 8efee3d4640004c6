//! Virtual time for tests: it advances only when the hub is idle.
//!
//! All work in flight (mail, writes, running activities) holds a [`Busy`]. When none is left, the
//! hub only waits for time, and the clock may advance to the next due time.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, oneshot};

use crate::protocol::{PartitionId, Timestamp};

/// The virtual clock of a hub, and the work in flight.
#[derive(Debug, Default)]
pub(crate) struct VirtualTime {
    state: Mutex<State>,
    idle: Notify,
}

#[derive(Debug, Default)]
struct State {
    now: Timestamp,
    under_way: usize,
    /// The next due time of each partition.
    due: BTreeMap<PartitionId, Timestamp>,
    /// The sleeping tasks by wake-up time. A woken task receives a [`Busy`], so that time stands
    /// still until it has run.
    sleepers: BTreeMap<(Timestamp, u64), oneshot::Sender<Busy>>,
    next_sleeper: u64,
}

/// Work in flight: virtual time does not advance while this is held.
#[derive(Debug, Default)]
pub(crate) struct Busy(Option<Arc<VirtualTime>>);

impl Busy {
    pub(crate) fn new(time: Option<&Arc<VirtualTime>>) -> Self {
        if let Some(time) = time {
            time.state().under_way += 1;
        }
        Self(time.cloned())
    }

    pub(crate) fn is_held(&self) -> bool {
        self.0.is_some()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let Some(time) = &self.0 else { return };
        let mut state = time.state();
        state.under_way -= 1;
        if state.under_way == 0 {
            drop(state);
            time.idle.notify_waiters();
        }
    }
}

impl VirtualTime {
    pub(crate) fn now(&self) -> Timestamp {
        self.state().now
    }

    /// Advances the time; it never goes backwards.
    pub(crate) fn advance_to(self: &Arc<Self>, time: Timestamp) {
        let mut woken = Vec::new();
        let mut state = self.state();
        state.now = state.now.max(time);
        while let Some(first) = state.sleepers.first_entry()
            && first.key().0 <= time
        {
            woken.push(first.remove());
        }
        drop(state);
        for sleeper in woken {
            // If the sleeper is gone, the `Busy` is dropped with the error.
            let _ = sleeper.send(Busy::new(Some(self)));
        }
    }

    /// Sleeps for this long, counted from this call and not from the first poll.
    pub(crate) fn sleep(&self, time: Duration) -> oneshot::Receiver<Busy> {
        let (sender, awake) = oneshot::channel();
        let mut state = self.state();
        state.sleepers.retain(|_, sleeper| !sleeper.is_closed());
        let until = state.now.after(time);
        let number = state.next_sleeper;
        state.next_sleeper += 1;
        state.sleepers.insert((until, number), sender);
        awake
    }

    /// The time of the next sleeper or due instance.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let state = self.state();
        let awake = |(at, sleeper): (&(Timestamp, u64), &oneshot::Sender<Busy>)| {
            (!sleeper.is_closed()).then_some(at.0)
        };
        let first_sleeper = state.sleepers.iter().find_map(awake);
        state.due.values().min().copied().into_iter().chain(first_sleeper).min()
    }

    pub(crate) fn set_due(&self, partition: PartitionId, due: Option<Timestamp>) {
        let mut state = self.state();
        match due {
            Some(due) => state.due.insert(partition, due),
            None => state.due.remove(&partition),
        };
    }

    /// Waits until no work is in flight.
    pub(crate) async fn idle(&self) {
        loop {
            let mut idle = pin!(self.idle.notified());
            // Registers before the check, so that no notification is missed.
            idle.as_mut().enable();
            if self.state().under_way == 0 {
                return;
            }
            idle.await;
        }
    }

    /// Completes when the hub becomes idle after work was in flight.
    pub(crate) fn stirred(&self) -> Notified<'_> {
        self.idle.notified()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
