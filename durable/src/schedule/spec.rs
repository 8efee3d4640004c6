//! The definition of a schedule: its ticks, and the orchestration that it starts.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::cron;
use super::error::InvalidSchedule;
use crate::call::{Call, NamedCall};
use crate::definition::Orchestrator;
use crate::protocol::{InstanceId, Json, Tags, Timestamp};

/// The shortest interval.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// The maximum length of a schedule id and of an instance id prefix: a tick's time is appended to
/// it.
pub(super) const ID_MAX: usize = 200;
/// Times are kept to the microsecond.
const MICROSECOND: TimeDelta = TimeDelta::microseconds(1);

/// A recurrence: an interval or a cron pattern, in UTC.
///
/// Add what to start with [`of`](Self::of), and pass the result to
/// [`TaskHub::create_schedule`](crate::TaskHub::create_schedule).
///
/// # Which ticks run
/// * Each tick while the schedule is active starts one instance, whether or not earlier ones have
///   ended.
/// * A tick that is at most a minute late still runs: the machine was busy, or the process was
///   restarted quickly. If several such ticks are found together, at most the last 60 of them run,
///   in order.
/// * A tick that is more than a minute late is missed: the process was down. Missed ticks are
///   skipped. If all pending ticks were missed, the last one runs at once with
///   [`start_immediately_if_late`](Self::start_immediately_if_late). Either way the schedule
///   continues with the next future tick.
/// * Ticks while the schedule is paused are skipped.
///
/// ```
/// use std::time::Duration;
/// use chrono::{TimeZone, Utc};
/// use durable::schedule::Schedule;
///
/// let new_year = Utc.with_ymd_and_hms(2027, 1, 1, 0, 0, 0).unwrap();
/// let january = Schedule::every(Duration::from_mins(5))
///     .start_at(new_year)
///     .end_at(new_year + chrono::Duration::days(31));
/// let working_days = Schedule::cron("30 8 * * MON-FRI")?;
/// # Ok::<(), durable::schedule::InvalidSchedule>(())
/// ```
#[must_use = "a schedule does nothing until it is created in a hub"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub(super) plan: Plan,
}

/// How a schedule repeats.
///
/// As JSON it is `{"every_seconds": 3600}` or `{"cron": "30 8 * * MON-FRI"}`:
///
/// ```
/// use std::time::Duration;
/// use durable::schedule::Recurrence;
///
/// let hourly = Recurrence::Every(Duration::from_hours(1));
/// assert_eq!(serde_json::to_string(&hourly)?, r#"{"every_seconds":3600}"#);
/// assert_eq!(serde_json::from_str::<Recurrence>(r#"{"every_seconds":3600}"#)?, hourly);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Recurrence {
    /// At an interval.
    #[serde(rename = "every_seconds", with = "seconds")]
    Every(Duration),
    /// By a cron pattern.
    #[serde(rename = "cron")]
    Cron(String),
}

/// A duration as a number of seconds.
mod seconds {
    use std::time::Duration;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        match time.subsec_nanos() {
            0 => to.serialize_u64(time.as_secs()),
            _ => to.serialize_f64(time.as_secs_f64()),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// [`Recurrence`] as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Recurrence")]
enum StoredRecurrence {
    Every(Duration),
    Cron(String),
}

/// A [`Schedule`] in its recorded form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    #[serde(with = "StoredRecurrence")]
    pub(super) recurrence: Recurrence,
    pub(super) start_at: Option<DateTime<Utc>>,
    pub(super) end_at: Option<DateTime<Utc>>,
    pub(super) start_immediately_if_late: bool,
    pub(super) instance_id_prefix: Option<String>,
}

/// A [`Schedule`] and the call that it starts; created by [`Schedule::of`].
///
/// ```
/// use durable::client::NamedCall;
/// use durable::schedule::{Schedule, ScheduledCall};
/// use std::time::Duration;
///
/// let hourly = Schedule::every(Duration::from_secs(3_600));
/// let reports: ScheduledCall = hourly.of_named(NamedCall::new("report"));
/// # let _ = reports;
/// ```
#[must_use = "a schedule does nothing until it is created in a hub"]
#[derive(Clone, Debug)]
pub struct ScheduledCall {
    pub(super) plan: Plan,
    pub(super) call: NamedCall,
}

/// The change that [`ScheduleHandle::update`](crate::schedule::ScheduleHandle::update) makes: from
/// a [`Schedule`], which keeps the started call, or from a [`ScheduledCall`], which also replaces
/// the call.
///
/// ```
/// # use durable::prelude::*;
/// use durable::schedule::{Schedule, ScheduleUpdate};
///
/// # #[orchestrator]
/// # async fn cleanup(ctx: &OrchestrationContext, days: u32) -> Result<()> { Ok(()) }
/// let later: ScheduleUpdate = Schedule::cron("0 4 * * *")?.into();
/// let shorter: ScheduleUpdate = Schedule::cron("0 4 * * *")?.of(cleanup(3)).into();
/// # Ok::<(), durable::schedule::InvalidSchedule>(())
/// ```
#[derive(Clone, Debug)]
pub struct ScheduleUpdate {
    pub(super) plan: Plan,
    pub(super) call: Option<NamedCall>,
}

/// The orchestration that a schedule starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) version: Option<String>,
    pub(super) input: Json,
    pub(super) tags: Tags,
}

impl Schedule {
    /// Repeats at this interval, of at least a second, counted from [`start_at`](Self::start_at).
    /// Without a start time, the first tick is one interval after the schedule is created or
    /// updated.
    pub fn every(interval: Duration) -> Self {
        Self::new(Recurrence::Every(interval))
    }

    /// Repeats whenever this cron pattern matches, in UTC.
    ///
    /// A pattern has 5 fields (minute, hour, day of month, month, day of week), or 6 with seconds
    /// in front. Fields are numbers, `*`, ranges `1-5`, lists `1,15`, steps `*/10`, names `JAN` and
    /// `MON`; Sunday is 0 and 7. `L` is the last day of the month, `5L` its last Friday, `MON#2`
    /// its second Monday, `15W` the working day nearest to the 15th. If both day of month and day
    /// of week are restricted, a day that matches either counts. `@hourly`, `@daily`, `@weekly`,
    /// `@monthly` and `@yearly` are supported, too.
    ///
    /// ```
    /// use durable::schedule::Schedule;
    ///
    /// let nightly = Schedule::cron("0 3 * * *")?;
    /// let every_ten_seconds = Schedule::cron("*/10 * * * * *")?;
    ///
    /// let error = Schedule::cron("61 * * * *").unwrap_err().to_string();
    /// assert!(error.contains("the minute cannot be `61`"), "{error}");
    /// # Ok::<(), durable::schedule::InvalidSchedule>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidSchedule::Cron`] if the pattern is invalid; the error says what is wrong with it.
    pub fn cron(pattern: impl Into<String>) -> Result<Self, InvalidSchedule> {
        let pattern = pattern.into();
        match cron::check(&pattern) {
            Ok(()) => Ok(Self::new(Recurrence::Cron(pattern))),
            Err(reason) => Err(InvalidSchedule::Cron { pattern, reason }),
        }
    }

    fn new(recurrence: Recurrence) -> Self {
        Self {
            plan: Plan {
                recurrence,
                start_at: None,
                end_at: None,
                start_immediately_if_late: false,
                instance_id_prefix: None,
            },
        }
    }

    /// Sets the time before which there is no tick. For an interval it is also the first tick.
    pub fn start_at(self, time: DateTime<Utc>) -> Self {
        self.with(|plan| plan.start_at = Some(Timestamp::new(time).to_datetime()))
    }

    /// Sets the time after which there is no tick; the schedule then ends.
    pub fn end_at(self, time: DateTime<Utc>) -> Self {
        self.with(|plan| plan.end_at = Some(Timestamp::new(time).to_datetime()))
    }

    /// Runs the last missed tick at once if ticks were missed, because the process was down or the
    /// start lies in the past. Off by default.
    pub fn start_immediately_if_late(self, start: bool) -> Self {
        self.with(|plan| plan.start_immediately_if_late = start)
    }

    /// Sets the id prefix of started instances; by default the schedule's id. The tick's time is
    /// appended, as in `nightly-20260104T030000Z`. No other schedule should use the same prefix.
    pub fn instance_id_prefix(self, prefix: impl Into<String>) -> Self {
        self.with(|plan| plan.instance_id_prefix = Some(prefix.into()))
    }

    /// Sets what to start: a call of an orchestration, whose input is recorded now.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use durable::schedule::{Schedule, ScheduledCall};
    /// # #[orchestrator]
    /// # async fn cleanup(ctx: &OrchestrationContext, keep_days: u32) -> Result<()> { Ok(()) }
    /// let nightly: ScheduledCall = Schedule::cron("0 3 * * *")?.of(cleanup(7).tag("team", "ops"));
    /// # Ok::<(), durable::schedule::InvalidSchedule>(())
    /// ```
    pub fn of<O: Orchestrator>(self, call: Call<O>) -> ScheduledCall {
        self.of_named(call)
    }

    /// Like [`of`](Self::of), but by the name of the orchestration. A call without a version uses
    /// the newest one registered when the schedule is created or updated.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use durable::client::NamedCall;
    /// use durable::schedule::Schedule;
    ///
    /// let nightly = Schedule::cron("0 3 * * *")?.of_named(NamedCall::new("cleanup").input(&7));
    /// # Ok::<(), durable::schedule::InvalidSchedule>(())
    /// ```
    pub fn of_named(self, call: impl Into<NamedCall>) -> ScheduledCall {
        ScheduledCall { plan: self.plan, call: call.into() }
    }

    fn with(mut self, set: impl FnOnce(&mut Plan)) -> Self {
        set(&mut self.plan);
        self
    }
}

impl From<Schedule> for ScheduleUpdate {
    fn from(schedule: Schedule) -> Self {
        Self { plan: schedule.plan, call: None }
    }
}

impl From<ScheduledCall> for ScheduleUpdate {
    fn from(scheduled: ScheduledCall) -> Self {
        let ScheduledCall { plan, call } = scheduled;
        Self { plan, call: Some(call) }
    }
}

impl fmt::Display for Recurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(interval) if interval.subsec_nanos() == 0 => {
                f.write_str("every ")?;
                let seconds = interval.as_secs();
                let units = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
                units
                    .iter()
                    .filter(|(n, _)| *n > 0)
                    .try_for_each(|(n, unit)| write!(f, "{n}{unit}"))
            }
            Self::Every(interval) => write!(f, "every {interval:?}"),
            Self::Cron(pattern) => f.write_str(pattern),
        }
    }
}

impl Plan {
    /// Checks the rules that types cannot express.
    pub(super) fn check(&self) -> Result<(), InvalidSchedule> {
        if let Recurrence::Every(interval) = self.recurrence
            && interval < INTERVAL_MIN
        {
            return Err(InvalidSchedule::Interval(interval));
        }
        if let (Some(start_at), Some(end_at)) = (self.start_at, self.end_at)
            && end_at < start_at
        {
            return Err(InvalidSchedule::EndsBeforeStart { start_at, end_at });
        }
        if let Some(prefix) = &self.instance_id_prefix {
            let characters = prefix.chars().count();
            if characters > ID_MAX {
                return Err(InvalidSchedule::LongInstanceIdPrefix { characters, max: ID_MAX });
            }
            InstanceId::new(prefix).map_err(InvalidSchedule::InstanceIdPrefix)?;
        }
        Ok(())
    }

    /// The first tick at `from` or later; `since` is when the plan was made.
    pub(super) fn first(&self, since: DateTime<Utc>, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // A tick at the very moment at which the plan is made does not count.
        let begins = self.start_at.unwrap_or_else(|| after(since));
        let from = from.max(begins);
        let tick = match &self.recurrence {
            Recurrence::Every(interval) => {
                let grid = Grid::new(self.start_at.unwrap_or(since), *interval);
                grid.time(grid.steps_before(from, interval_ceil))
            }
            Recurrence::Cron(pattern) => cron::next(pattern, from),
        };
        tick.filter(|tick| self.end_at.is_none_or(|end| *tick <= end))
    }

    /// The last tick at `until` or earlier, given an earlier or equal tick.
    pub(super) fn last(
        &self,
        since: DateTime<Utc>,
        known: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> DateTime<Utc> {
        let until = self.end_at.map_or(until, |end| until.min(end));
        let tick = match &self.recurrence {
            Recurrence::Every(interval) => {
                let grid = Grid::new(self.start_at.unwrap_or(since), *interval);
                grid.time(grid.steps_before(until, i128::div_euclid))
            }
            Recurrence::Cron(pattern) => cron::last(pattern, until),
        };
        tick.map_or(known, |tick| tick.max(known))
    }
}

/// The next representable moment.
pub(super) fn after(time: DateTime<Utc>) -> DateTime<Utc> {
    time.checked_add_signed(MICROSECOND).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The ticks of an interval, in microseconds.
struct Grid {
    origin: i128,
    step: i128,
}

impl Grid {
    fn new(origin: DateTime<Utc>, interval: Duration) -> Self {
        let step = i128::try_from(interval.as_micros()).unwrap_or(i128::MAX);
        Self { origin: origin.timestamp_micros().into(), step: step.max(1) }
    }

    fn steps_before(&self, time: DateTime<Utc>, divide: fn(i128, i128) -> i128) -> i128 {
        divide(i128::from(time.timestamp_micros()) - self.origin, self.step)
    }

    /// `None` if the time is beyond the calendar.
    fn time(&self, steps: i128) -> Option<DateTime<Utc>> {
        let micros = self.origin.checked_add(self.step.checked_mul(steps)?)?;
        DateTime::from_timestamp_micros(i64::try_from(micros).ok()?)
    }
}

fn interval_ceil(distance: i128, step: i128) -> i128 {
    distance.div_euclid(step) + i128::from(distance.rem_euclid(step) != 0)
}
