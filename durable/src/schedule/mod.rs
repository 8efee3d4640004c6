//! Schedules: orchestrations that are started again and again, at an interval or by a cron pattern.
//!
//! A [`Schedule`] defines when an orchestration is started; [`TaskHub::create_schedule`] makes it
//! durable. [`TaskHub::schedule`] returns a [`ScheduleHandle`], which pauses, resumes, updates
//! ([`ScheduleUpdate`]) or deletes it, and [`TaskHub::query`] lists those that match a
//! [`ScheduleQuery`].
//!
//! A schedule is itself an instance of an orchestration that this crate registers in every hub. It
//! survives crashes like every instance, and uses no memory or processor time while it waits.
//!
//! [`TaskHub::create_schedule`]: crate::TaskHub::create_schedule
//! [`TaskHub::schedule`]: crate::TaskHub::schedule
//! [`TaskHub::query`]: crate::TaskHub::query

// Read next: `spec.rs` (when a schedule is due), `state.rs` (how a schedule reacts to time and to
// requests), `orchestrator.rs` (the loop around it), `handle.rs` and `query.rs` (the clients'
// side).

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
pub use self::query::{ScheduleDescription, ScheduleQuery};
pub use self::spec::{Recurrence, Schedule, ScheduleUpdate, ScheduledCall};
pub use self::state::ScheduleStatus;

use crate::definition::{Definition, Entry};
use crate::hub::client::query::SCHEDULE_IDS as ID_PREFIX;
use crate::protocol::InstanceId;

/// The orchestration that is a schedule. Its attribute registers it, so every hub has it.
const ENTRY: Entry = <orchestrator::schedule as Definition>::ENTRY;

/// The tag of instances that a schedule starts; its value is the schedule's id.
const TAG: &str = "durable.schedule";

/// The id of the schedule that is this instance.
fn id_of(instance: &InstanceId) -> &str {
    instance.as_str().strip_prefix(ID_PREFIX).unwrap_or(instance.as_str())
}
