//! Numbers for what a node queues. What was caused by something received has a greater number than it.

use std::sync::atomic::{AtomicU64, Ordering};

/// A Lamport clock. It counts and knows no time, so a computer whose clock is wrong does no harm.
#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicU64);

/// More numbers than all nodes use between two renewals of a node.
const RESERVE: u64 = 1 << 32;

impl Clock {
    /// Takes `count` numbers that follow each other, and returns the one before the first.
    pub(crate) fn take(&self, count: usize) -> u64 {
        self.0.fetch_add(count as u64, Ordering::AcqRel)
    }

    /// Makes all further numbers greater than this one.
    pub(crate) fn raise(&self, number: u64) {
        self.0.fetch_max(number, Ordering::AcqRel);
    }

    /// A number that is greater than all that are taken until the next renewal. The node that takes a
    /// partition over [raises](Self::raise) its own clock to it.
    pub(crate) fn reserved(&self) -> u64 {
        self.0.load(Ordering::Acquire) + RESERVE
    }
}
