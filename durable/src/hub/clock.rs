//! The only place that asks the machine for the time.

use std::time::SystemTime;

use crate::protocol::Timestamp;

/// The machine's clock, made to never go backwards.
#[derive(Debug, Default)]
pub(super) struct Clock {
    last: Option<Timestamp>,
}

impl Clock {
    pub(super) fn now(&mut self) -> Timestamp {
        let now = machine_time();
        let now = self.last.map_or(now, |last| last.max(now));
        self.last = Some(now);
        now
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the place that the lint points to")]
fn machine_time() -> Timestamp {
    Timestamp::new(SystemTime::now().into())
}
