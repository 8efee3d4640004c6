//! When checkpoints are made, and how commits are kept from running away from them.
//!
//! A checkpoint begins when a quarter of the memory for overlays is used. Commits go on meanwhile;
//! only when all of it is used they wait until the checkpoint has ended.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(super) struct Pace {
    overlay_bytes: usize,
    /// What the overlays need.
    used: AtomicUsize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    wanted: bool,
    stopped: bool,
}

impl Pace {
    pub(super) fn new(overlay_bytes: usize) -> Self {
        let (used, state) = (AtomicUsize::new(0), Mutex::default());
        Self { overlay_bytes, used, state, changed: Condvar::new() }
    }

    /// The overlays need so much, of it so much that no checkpoint has begun to move.
    pub(super) fn uses(&self, all: usize, newest: usize) {
        self.used.store(all, Ordering::Relaxed);
        let is_moving = newest < all;
        if !is_moving && newest >= self.overlay_bytes / 4 {
            self.state().wanted = true;
            self.changed.notify_all();
        }
    }

    /// How much memory the overlays need.
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Waits until a checkpoint is wanted; false if the store is closed.
    pub(super) fn wait_for_want(&self) -> bool {
        let state = self.state();
        let is_idle = |state: &mut State| !state.wanted && !state.stopped;
        let waited = self.changed.wait_while(state, is_idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.wanted = false;
        !state.stopped
    }

    /// Waits, before a commit, until there is memory for it.
    pub(super) fn make_way(&self) {
        if self.used() < self.overlay_bytes {
            return;
        }
        let state = self.state();
        let is_full = |state: &mut State| !state.stopped && self.used() >= self.overlay_bytes;
        drop(self.changed.wait_while(state, is_full));
    }

    /// A checkpoint has ended.
    pub(super) fn has_ended(&self) {
        drop(self.state());
        self.changed.notify_all();
    }

    /// Nobody waits any more.
    pub(super) fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
