//! Numbers for what a node queues. A message has a greater number than any received message that
//! caused it.

use std::sync::atomic::{AtomicU64, Ordering};

/// A Lamport clock. It counts and does not measure time, so a machine whose clock is wrong does no
/// harm.
#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicU64);

/// More numbers than all nodes together use between two renewals.
const RESERVE: u64 = 1 << 32;

impl Clock {
    /// Takes `count` consecutive numbers, and returns the number before the first one.
    pub(crate) fn take(&self, count: usize) -> u64 {
        self.0.fetch_add(count as u64, Ordering::AcqRel)
    }

    /// Makes all further numbers greater than this one.
    pub(crate) fn raise(&self, number: u64) {
        self.0.fetch_max(number, Ordering::AcqRel);
    }

    /// A number that is greater than all numbers that are taken before the next renewal. A node
    /// that takes over a partition [raises](Self::raise) its own clock to it.
    pub(crate) fn reserved(&self) -> u64 {
        self.0.load(Ordering::Acquire) + RESERVE
    }
}
