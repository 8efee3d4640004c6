//! Replaces `metrics.rs` without the feature `metrics`: the same functions, which do nothing.

use super::event::LifecycleEvent;
use crate::protocol::{FailureDetails, Json, PartitionId};
use crate::store::{Commit, Store, StoreError};

/// A stand-in that measures nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch;

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self
    }
}

/// Whether lifecycle events are needed even without subscribers.
pub(crate) const COUNTS_LIFECYCLE: bool = false;

pub(crate) fn describe() {}

#[expect(clippy::unnecessary_wraps, reason = "counting may fail")]
pub(crate) fn opened(_: &dyn Store) -> Result<(), StoreError> {
    Ok(())
}

pub(crate) fn lifecycle(_: &LifecycleEvent) {}

pub(crate) fn episode(_: &str, _: Stopwatch) {}

pub(crate) fn committed(_: &Commit, _writes: usize, _: Stopwatch) {}

pub(crate) fn store(_: &dyn Store) {}

pub(crate) fn residents(_: PartitionId, _count: usize) {}

pub(crate) fn activities(_waiting: usize, _running: usize) {}

pub(crate) fn activity_began(_name: &str, _: Stopwatch) {}

pub(crate) fn activity_ended(_name: &str, _outcome: &'static str, _: Stopwatch) {}

pub(crate) fn batch_ended(_name: &str, _: &[Option<Result<Json, FailureDetails>>], _: Stopwatch) {}
