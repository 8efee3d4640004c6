//! What stands in for `metrics.rs` without the feature `metrics`: the same functions, which do
//! nothing.

use super::lifecycle::LifecycleEvent;
use crate::protocol::{FailureDetails, Json, PartitionId};
use crate::store::{Commit, Store, StoreError};

/// Measures nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch;

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self
    }
}

/// Whether lifecycle events are wanted even if nobody is subscribed to them.
pub(super) const COUNTS_LIFECYCLE: bool = false;

pub(super) fn describe() {}

#[expect(clippy::unnecessary_wraps, reason = "counting may fail")]
pub(super) fn opened(_: &dyn Store) -> Result<(), StoreError> {
    Ok(())
}

pub(super) fn lifecycle(_: &LifecycleEvent) {}

pub(super) fn episode(_: &str, _: Stopwatch) {}

pub(super) fn committed(_: &Commit, _writes: usize, _: Stopwatch) {}

pub(super) fn store(_: &dyn Store) {}

pub(super) fn residents(_: PartitionId, _count: usize) {}

pub(super) fn activities(_waiting: usize, _running: usize) {}

pub(super) fn activity_began(_name: &str, _: Stopwatch) {}

pub(super) fn activity_ended(_name: &str, _outcome: &'static str, _: Stopwatch) {}

pub(super) fn batch_ended(_name: &str, _: &[Option<Result<Json, FailureDetails>>], _: Stopwatch) {}
