//! Schedules: orchestrations that are started again and again, at an interval or by a cron pattern.
//!
//! A schedule is an instance of an orchestration that this crate brings along, written with the
//! crate itself: it survives what every instance survives, and costs nothing while it waits.
//!
//! Read next: `spec.rs` (when the ticks are), `state.rs` (what a schedule makes of time and of what it
//! is told), `orchestrator.rs` (the loop around it), `handle.rs` and `query.rs` (what clients see).

mod cron;
mod error;
mod handle;
mod orchestrator;
mod query;
mod spec;
mod state;
#[cfg(test)]
mod tests;

pub use self::error::{InvalidSchedule, ScheduleError};
pub use self::handle::ScheduleHandle;
pub use self::query::{ScheduleDescription, ScheduleQuery, ScheduleStatus};
pub use self::spec::{Recurrence, Schedule, ScheduleUpdate, ScheduledCall};

use crate::protocol::InstanceId;
use crate::registry::{Definition, Entry};

/// What every hub has registered.
pub(crate) const ENTRY: Entry = <orchestrator::schedule as Definition>::ENTRY;

/// How ids of the instances that are schedules begin.
pub(crate) const ID_PREFIX: &str = "durable.schedule:";
/// With what the instances that schedules start are tagged: their schedule's id.
const TAG: &str = "durable.schedule";

/// The id of the schedule that is this instance.
fn id_of(instance: &InstanceId) -> &str {
    instance.as_str().strip_prefix(ID_PREFIX).unwrap_or(instance.as_str())
}
