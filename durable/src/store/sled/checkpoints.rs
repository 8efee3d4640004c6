//! The actor that makes checkpoints.
//!
//! A checkpoint continues the one that gave up, if there is one, and then moves the newest overlay to
//! the tree, batch by batch.
//!
//! Read next: `pace.rs` (when), `checkpoint.rs` (what is written).

use std::mem;
use std::sync::Arc;

use super::actor::{Actor, Next};
use super::checkpoint::Checkpoint;
use super::error::guarded;
use super::inner::Inner;
use super::monitor::Monitor;
use super::overlay::Overlay;
use super::pace::{self, Request};
use crate::store::{StoreError, chain};

#[derive(Debug)]
pub(super) struct Checkpoints {
    inner: Arc<Inner>,
    phase: Phase,
}

/// What the next step does.
#[derive(Debug)]
enum Phase {
    /// Looks whether a checkpoint is wanted.
    Wait,
    /// Looks for a checkpoint that gave up.
    Resume,
    /// Begins with the newest overlay.
    Begin,
    Write(Moving),
    /// The tree contains the overlay: its part of the log is freed.
    Settle(Moving),
    Fail(StoreError),
}

/// An overlay that is moved to the tree.
#[derive(Debug)]
struct Moving {
    overlay: Arc<Overlay>,
    checkpoint: Checkpoint,
    /// Whether an earlier checkpoint gave it up, so a newer one exists.
    is_older: bool,
}

impl Checkpoints {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, phase: Phase::Wait }
    }

    fn moving(&self, overlay: Arc<Overlay>, is_older: bool) -> Moving {
        Moving { overlay, checkpoint: Checkpoint::new(self.inner.sizes()), is_older }
    }

    /// Takes a step of a checkpoint; returns the next phase.
    fn next(&self, phase: Phase) -> Result<Phase, StoreError> {
        Ok(match phase {
            Phase::Wait | Phase::Fail(_) => Phase::Wait,
            Phase::Resume => match self.inner.older()? {
                Some(overlay) => {
                    mark!("checkpoints: one that gave up continues");
                    Phase::Write(self.moving(overlay, true))
                }
                None => Phase::Begin,
            },
            Phase::Begin => match self.inner.next_overlay()? {
                Some(overlay) => Phase::Write(self.moving(overlay, false)),
                None => Phase::Wait,
            },
            Phase::Write(mut moving) => {
                let more = self.inner.step(&mut moving.checkpoint, &moving.overlay)?;
                if more { Phase::Write(moving) } else { Phase::Settle(moving) }
            }
            Phase::Settle(moving) => {
                self.inner.settle(&moving.overlay)?;
                mark!("checkpoints: one is complete");
                if moving.is_older { Phase::Begin } else { Phase::Wait }
            }
        })
    }

    fn fail(&self, error: &StoreError) {
        mark!("checkpoints: one fails");
        let cause = chain(error);
        tell!(error, error = cause, "a checkpoint failed");
        self.inner.poison(error);
        self.inner.pace.stop();
    }
}

impl Actor for Checkpoints {
    type Shared = pace::State;

    fn shared(&self) -> &Monitor<pace::State> {
        self.inner.pace.requests()
    }

    fn has_work(state: &pace::State) -> bool {
        state.has_request()
    }

    fn is_stopped(state: &pace::State) -> bool {
        state.is_stopped()
    }

    fn step(&mut self) -> Next {
        match mem::replace(&mut self.phase, Phase::Wait) {
            Phase::Wait => match self.inner.pace.take_request() {
                Request::None => return Next::Idle,
                Request::Stop => return Next::End,
                Request::Checkpoint => self.phase = Phase::Resume,
            },
            Phase::Fail(error) => self.fail(&error),
            phase => match guarded(self.inner.room.path(), || self.next(phase)) {
                Ok(next) => self.phase = next,
                // A hub that has shut down does not wait for room; the next hub on this store may.
                Err(error) if error.is_transient() => {
                    mark!("checkpoints: one gives up until there is room");
                    self.inner.pace.pause();
                }
                Err(error) => self.phase = Phase::Fail(error),
            },
        }
        Next::Again
    }

    #[cfg(feature = "testing")]
    fn is_free(&self) -> bool {
        match &self.phase {
            Phase::Wait => true,
            Phase::Write(_) => self.inner.room.is_free() && self.inner.base().is_between_batches(),
            Phase::Resume | Phase::Begin | Phase::Settle(_) | Phase::Fail(_) => {
                self.inner.room.is_free() && self.inner.is_free()
            }
        }
    }
}
