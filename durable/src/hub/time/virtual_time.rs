//! Time that passes only when nothing else is left to do, for tests.
//!
//! All work in flight (mail, writes, running activities) holds a [`Busy`]. When none is left, the
//! hub waits for time only, and the clock may move to the next due time.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, oneshot};

use crate::protocol::{PartitionId, Timestamp};

/// A hub's time, and what is under way in it.
#[derive(Debug, Default)]
pub(crate) struct VirtualTime {
    state: Mutex<State>,
    idle: Notify,
}

#[derive(Debug, Default)]
struct State {
    now: Timestamp,
    under_way: usize,
    /// When each partition has something to do next.
    due: BTreeMap<PartitionId, Timestamp>,
    /// Who sleeps until when; who is woken is given what keeps time from passing any further.
    sleepers: BTreeMap<(Timestamp, u64), oneshot::Sender<Busy>>,
    next_sleeper: u64,
}

/// Something is under way as long as this is held.
#[derive(Debug, Default)]
pub(crate) struct Busy(Option<Arc<VirtualTime>>);

impl Busy {
    pub(crate) fn new(time: Option<&Arc<VirtualTime>>) -> Self {
        if let Some(time) = time {
            time.state().under_way += 1;
        }
        Self(time.cloned())
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

    /// Time never goes backwards.
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
            // One that is gone drops what it would have held.
            let _ = sleeper.send(Busy::new(Some(self)));
        }
    }

    /// Sleeps until time has come that far, from this call on: not only from when it is awaited.
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

    /// When something is due next.
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

    /// Waits until nothing is under way.
    pub(crate) async fn idle(&self) {
        loop {
            let mut idle = pin!(self.idle.notified());
            // From here on no notification is missed.
            idle.as_mut().enable();
            if self.state().under_way == 0 {
                return;
            }
            idle.await;
        }
    }

    /// Ends when something was under way and has come to its end.
    pub(crate) fn stirred(&self) -> Notified<'_> {
        self.idle.notified()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
