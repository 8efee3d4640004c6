//! A state that several threads share, and whose changes they wait for.
//!
//! All waits of the store are here. In a simulation there is one thread: a waiter lets the other
//! actors of the store take steps until the state has changed. In the meantime, the caller must not
//! hold another lock that they need.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::disk::Disk;

#[derive(Debug)]
pub(super) struct Monitor<T> {
    state: Mutex<T>,
    changed: Condvar,
    #[cfg(feature = "testing")]
    simulated: Option<simulated::Waits>,
}

impl<T> Monitor<T> {
    /// A state. `what` says what is waited for.
    pub(super) fn new(disk: &Disk, what: &'static str, state: T) -> Self {
        #[cfg(not(feature = "testing"))]
        let _ = (disk, what);
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            #[cfg(feature = "testing")]
            simulated: simulated::Waits::new(disk, what),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes all waiters, after a change.
    pub(super) fn notify(&self) {
        #[cfg(feature = "testing")]
        if let Some(waits) = &self.simulated {
            waits.notify();
        }
        self.changed.notify_all();
    }

    /// Blocks while `waits` returns true.
    pub(super) fn wait_while<'a>(
        &'a self,
        state: MutexGuard<'a, T>,
        waits: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        #[cfg(feature = "testing")]
        if let Some(of) = &self.simulated {
            return of.wait_while(self, state, waits, false);
        }
        self.changed.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks while `waits` returns true, for at most this long.
    pub(super) fn wait_timeout_while<'a>(
        &'a self,
        state: MutexGuard<'a, T>,
        time: Duration,
        waits: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        #[cfg(feature = "testing")]
        if let Some(of) = &self.simulated {
            return of.wait_while(self, state, waits, true);
        }
        let waited = self.changed.wait_timeout_while(state, time, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// How often it was notified.
    #[cfg(feature = "testing")]
    pub(super) fn notified(&self) -> u64 {
        self.simulated.as_ref().map_or(0, simulated::Waits::notified)
    }

    /// Whether it is unlocked.
    #[cfg(feature = "testing")]
    pub(super) fn is_free(&self) -> bool {
        self.state.try_lock().is_ok()
    }
}

#[cfg(feature = "testing")]
mod simulated {
    use std::sync::MutexGuard;
    use std::sync::atomic::{AtomicU64, Ordering};

    use crate::store::sled::disk::Disk;
    use crate::store::sled::disk::simulated::SimDisk;
    use crate::store::sled::monitor::Monitor;

    /// After this many rounds in which no actor could do anything, a wait is assumed never to end.
    const PATIENCE: u32 = 20;

    /// The waits for a monitor of a simulation.
    #[derive(Debug)]
    pub(in super::super) struct Waits {
        disk: SimDisk,
        what: &'static str,
        notified: AtomicU64,
    }

    impl Waits {
        pub(super) fn new(disk: &Disk, what: &'static str) -> Option<Self> {
            match disk {
                Disk::System => None,
                Disk::Simulated(disk) => {
                    Some(Self { disk: disk.clone(), what, notified: AtomicU64::new(0) })
                }
            }
        }

        pub(super) fn notify(&self) {
            self.notified.fetch_add(1, Ordering::Relaxed);
        }

        pub(super) fn notified(&self) -> u64 {
            self.notified.load(Ordering::Relaxed)
        }

        /// As a condition variable: a waiter looks again only after a notification. If `times_out`,
        /// the wait ends at the latest when no actor has done anything for a while.
        pub(super) fn wait_while<'a, T>(
            &self,
            monitor: &'a Monitor<T>,
            mut state: MutexGuard<'a, T>,
            mut waits: impl FnMut(&mut T) -> bool,
            times_out: bool,
        ) -> MutexGuard<'a, T> {
            let mut patience = PATIENCE;
            while waits(&mut state) {
                let seen = self.notified();
                drop(state);
                while self.notified() == seen {
                    let has_stepped = self.disk.step_one();
                    self.disk.pass_time();
                    patience = if has_stepped { PATIENCE } else { patience.saturating_sub(1) };
                    if times_out && (patience == 0 || self.disk.choose(2) == 0) {
                        return monitor.lock();
                    }
                    if patience == 0 {
                        let wrong = format!("I14 the store waits forever for {}", self.what);
                        self.disk.fail(wrong.clone());
                        panic!("{wrong}");
                    }
                }
                state = monitor.lock();
            }
            state
        }
    }
}

#[cfg(feature = "testing")]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sled::disk::simulated::SimDisk;

    /// Each choice whether the time is over is `no`.
    #[test]
    fn a_simulated_wait_with_a_timeout_ends_even_if_nothing_happens() {
        let disk = SimDisk::new(|end| end - 1);
        let monitor = Monitor::new(&Disk::Simulated(disk.clone()), "nothing", ());
        drop(monitor.wait_timeout_while(monitor.lock(), Duration::from_secs(1), |()| true));
        assert_eq!(disk.failure(), None);
    }
}
