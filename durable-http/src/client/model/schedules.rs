//! Schedules.

use std::fmt;

use chrono::{DateTime, Utc};
use durable::protocol::{Json, Tags};
use durable::schedule::ScheduleStatus;
use serde::{Deserialize, Serialize};

/// A schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Schedule {
    /// Its id.
    pub id: String,
    /// Whether the schedule starts instances.
    pub status: ScheduleStatus,
    /// When the schedule starts instances.
    pub recurrence: Recurrence,
    /// No instance is started before this time.
    pub start_at: Option<DateTime<Utc>>,
    /// No instance is started after this time.
    pub end_at: Option<DateTime<Utc>>,
    /// Whether the first instance starts at once if `start_at` has passed.
    pub start_immediately_if_late: bool,
    /// The beginning of the ids of its instances.
    pub instance_id_prefix: Option<String>,
    /// The orchestration that it starts.
    pub orchestration: String,
    /// The version of the orchestration.
    pub version: Option<String>,
    /// The input of each instance.
    pub input: Json,
    /// The tags of each instance.
    pub tags: Tags,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it last started an instance.
    pub last_run_at: Option<DateTime<Utc>>,
    /// When it starts the next instance.
    pub next_run_at: Option<DateTime<Utc>>,
    /// The number of instances that it has started.
    pub runs: u64,
}

/// When a schedule starts instances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Recurrence {
    /// A cron pattern, in UTC.
    Cron(String),
    /// A number of seconds between two ticks.
    EverySeconds(f64),
}

impl fmt::Display for Recurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron(pattern) => f.write_str(pattern),
            Self::EverySeconds(seconds) => write!(f, "every {seconds} s"),
        }
    }
}
