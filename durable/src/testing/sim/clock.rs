//! The hub's clock on a machine whose two clocks the caller sets.

use std::time::{Duration, Instant};

use crate::hub::time::clock::{Steady, stopwatch};
use crate::protocol::Timestamp;

/// The clock of a hub on a machine whose clocks the caller reads.
#[derive(Debug)]
pub struct HubClock {
    steady: Steady,
    booted: Instant,
}

impl HubClock {
    /// The clock of a hub that has just opened.
    #[expect(clippy::new_without_default, reason = "it reads the monotonic clock")]
    pub fn new() -> Self {
        Self { steady: Steady::default(), booted: stopwatch() }
    }

    /// The time of the hub if the wall clock shows `calendar` and this much time has passed since
    /// the machine was started.
    pub fn now(&mut self, calendar: Timestamp, passed: Duration) -> Timestamp {
        self.steady.advance(calendar, self.booted + passed)
    }
}
