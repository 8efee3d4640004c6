//! Decides when checkpoints are made, and slows commits down so that checkpoints keep up.
//!
//! A checkpoint begins when half of the memory for overlays is used, and occupies that half until
//! it ends. In the meantime, commits may use a quarter immediately, and the last quarter in
//! proportion to the checkpoint's progress. If the tree is slower than the log, each commit
//! therefore waits a little, and no commit waits for a whole checkpoint.

use std::sync::MutexGuard;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::disk::Disk;
use super::monitor::Monitor;

#[derive(Debug)]
pub(super) struct Pace {
    overlay_bytes: usize,
    /// The memory used by the newest overlay, and by the one that a checkpoint is writing.
    newest: AtomicUsize,
    older: AtomicUsize,
    /// The memory that the newest overlay may use.
    allowed: AtomicUsize,
    state: Monitor<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    wanted: bool,
    /// No checkpoint is made until a hub begins to use the store.
    paused: bool,
    stopped: bool,
}

/// What the checkpoints are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    None,
    Checkpoint,
    /// The store is closed.
    Stop,
}

impl State {
    /// Whether a checkpoint is wanted, or the store is closed.
    pub(super) fn has_request(&self) -> bool {
        self.stopped || (self.wanted && !self.paused)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Whether checkpoints are stopped or paused, so that no commit may wait for one.
    fn is_idle(&self) -> bool {
        self.stopped || self.paused
    }
}

impl Pace {
    pub(super) fn new(disk: &Disk, overlay_bytes: usize) -> Self {
        Self {
            overlay_bytes,
            newest: AtomicUsize::new(0),
            older: AtomicUsize::new(0),
            allowed: AtomicUsize::new(overlay_bytes),
            state: Monitor::new(disk, "memory for commits", State::default()),
        }
    }

    /// Records the memory used by the newest overlay.
    pub(super) fn grows(&self, newest: usize) {
        self.newest.store(newest, Ordering::Relaxed);
        if self.older.load(Ordering::Relaxed) == 0 && newest >= self.overlay_bytes / 2 {
            self.state().wanted = true;
            self.state.notify();
        }
    }

    /// A checkpoint begins with an overlay of this size, and a new overlay is started.
    pub(super) fn begins(&self, older: usize) {
        self.state().wanted = false;
        self.newest.store(0, Ordering::Relaxed);
        self.older.store(older, Ordering::Relaxed);
        self.moves(0, 1);
    }

    /// The checkpoint has written this many of its entries.
    pub(super) fn moves(&self, entries: usize, all: usize) {
        let quarter = self.overlay_bytes / 4;
        let moved = quarter / all.max(1) * entries.min(all);
        self.allow(quarter + moved);
    }

    /// The checkpoint has ended.
    pub(super) fn ends(&self, newest: usize) {
        self.older.store(0, Ordering::Relaxed);
        self.allow(self.overlay_bytes);
        self.grows(newest);
    }

    fn allow(&self, bytes: usize) {
        self.allowed.store(bytes, Ordering::Relaxed);
        drop(self.state());
        self.state.notify();
    }

    /// The memory used by all overlays.
    pub(super) fn used(&self) -> usize {
        self.newest.load(Ordering::Relaxed) + self.older.load(Ordering::Relaxed)
    }

    /// Blocks before a commit until there is memory for it.
    pub(super) fn wait_for_memory(&self) {
        let is_full =
            || self.newest.load(Ordering::Relaxed) >= self.allowed.load(Ordering::Relaxed);
        if is_full() {
            let state = self.state();
            drop(self.state.wait_while(state, |state| !state.is_idle() && is_full()));
        }
    }

    /// Takes the request for a checkpoint, if there is one.
    pub(super) fn take_request(&self) -> Request {
        let mut state = self.state();
        if state.stopped {
            return Request::Stop;
        }
        if !state.has_request() {
            return Request::None;
        }
        state.wanted = false;
        Request::Checkpoint
    }

    /// Changes whenever there may be a new request.
    pub(super) fn requests(&self) -> &Monitor<State> {
        &self.state
    }

    /// A checkpoint has given up. Until [`resume`](Self::resume), which requests it again, no
    /// commit waits for it.
    pub(super) fn pause(&self) {
        let mut state = self.state();
        (state.paused, state.wanted) = (true, true);
        drop(state);
        self.state.notify();
    }

    pub(super) fn resume(&self) {
        self.state().paused = false;
        self.state.notify();
    }

    /// Wakes all waiters.
    pub(super) fn stop(&self) {
        self.state().stopped = true;
        self.state.notify();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_do_not_wait_for_a_paused_checkpoint_which_the_next_hub_resumes() {
        let pace = Pace::new(&Disk::System, 1024);
        pace.grows(2048);
        pace.pause();
        pace.wait_for_memory();
        pace.resume();
        assert_eq!(pace.take_request(), Request::Checkpoint);
        pace.stop();
        assert_eq!(pace.take_request(), Request::Stop);
    }
}
