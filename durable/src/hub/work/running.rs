//! What is reported about the running activities.

use std::time::Instant;

use serde::Serialize;

use crate::hub::time::clock::{self, Clock};
use crate::hub::time::virtual_time::VirtualTime;
use crate::protocol::{ExecutionId, InstanceId, Timestamp};

/// An activity that runs now, in this process; see [`TaskHub::running`](crate::TaskHub::running).
///
/// ```
/// # use durable::TaskHub;
/// /// Prints the activities that are in at least their third attempt.
/// fn print_retried(hub: &TaskHub) {
///     for activity in hub.running().into_iter().filter(|activity| activity.attempt >= 3) {
///         println!("{} of {} since {}", activity.name, activity.instance_id, activity.since);
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RunningActivity {
    /// The instance that called it.
    pub instance_id: InstanceId,
    /// The execution that called it.
    pub execution_id: ExecutionId,
    /// The number of the call: the event id of its `TaskScheduled`.
    pub event_id: i32,
    /// The name of the activity.
    pub name: String,
    /// The attempt, counted from 1.
    pub attempt: u32,
    /// When this attempt began.
    pub since: Timestamp,
}

/// When a job began. It is converted to a time after the lock on the jobs is released.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StartMoment {
    Virtual(Timestamp),
    Machine(Instant),
}

impl StartMoment {
    pub(super) fn now(time: Option<&VirtualTime>) -> Self {
        match time {
            Some(time) => Self::Virtual(time.now()),
            None => Self::Machine(clock::stopwatch()),
        }
    }

    /// The time at which it began.
    pub(super) fn time(self, clock: &Clock) -> Timestamp {
        match self {
            Self::Virtual(time) => time,
            Self::Machine(moment) => clock.at(moment),
        }
    }
}
