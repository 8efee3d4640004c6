//! What is told about the activities that run now.

use std::time::Instant;

use serde::Serialize;

use crate::hub::time::clock;
use crate::hub::time::virtual_time::VirtualTime;
use crate::protocol::{ExecutionId, InstanceId, Timestamp};

/// An activity that runs now, in this process; see [`TaskHub::running`](crate::TaskHub::running).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RunningActivity {
    /// The instance that called it.
    pub instance_id: InstanceId,
    /// The execution that called it.
    pub execution_id: ExecutionId,
    /// The number of the call: the event id of its `TaskScheduled`.
    pub event_id: i32,
    /// Its name.
    pub name: String,
    /// The attempt, counted from 1.
    pub attempt: u32,
    /// When this attempt began.
    pub since: Timestamp,
}

/// When a job began. Converted to a time only when somebody asks, because the machine's clock is
/// corrected at a price.
#[derive(Clone, Copy, Debug)]
pub(super) enum Began {
    Virtual(Timestamp),
    Machine(Instant),
}

impl Began {
    pub(super) fn now(time: Option<&VirtualTime>) -> Self {
        match time {
            Some(time) => Self::Virtual(time.now()),
            None => Self::Machine(clock::stopwatch()),
        }
    }

    /// The time at which it began, if it is `now` now.
    pub(super) fn time(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Virtual(time) => time,
            Self::Machine(instant) => now.before(instant.elapsed()),
        }
    }
}
