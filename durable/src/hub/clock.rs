//! What time it is. The only place that asks the machine.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::virtual_time::VirtualTime;
use crate::protocol::Timestamp;

/// How long to wait before looking at the clock again, while something is due some day: it may be set
/// meanwhile, and what a machine waits for stands still while it sleeps.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// The time as one partition sees it, which never goes backwards.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    /// Where time is made, in a test; else it is the machine's.
    made: Option<Arc<VirtualTime>>,
    last: Option<Timestamp>,
}

impl Clock {
    pub(super) fn new(made: Option<Arc<VirtualTime>>) -> Self {
        Self { made, last: None }
    }

    pub(super) fn now(&mut self) -> Timestamp {
        let now = self.made.as_ref().map_or_else(machine_time, |made| made.now());
        let now = self.last.map_or(now, |last| last.max(now));
        self.last = Some(now);
        now
    }

    /// How long to wait on the machine until `due`. Where time is made, what is not due yet is waited
    /// for for ever, since whoever makes it wakes those who wait.
    pub(super) fn wait_until(&mut self, due: Option<Timestamp>) -> Option<Duration> {
        let now = self.now();
        let wait = due?.since(now);
        match self.made {
            None => Some(wait.min(LOOK_AGAIN)),
            Some(_) => wait.is_zero().then_some(wait),
        }
    }
}

/// A point from which to measure. Nothing that is recorded is decided by it.
#[expect(clippy::disallowed_methods, reason = "this is the place that the lint points to")]
pub(super) fn stopwatch() -> std::time::Instant {
    std::time::Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "this is the place that the lint points to")]
fn machine_time() -> Timestamp {
    Timestamp::new(SystemTime::now().into())
}
