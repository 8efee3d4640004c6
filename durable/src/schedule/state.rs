//! How a schedule reacts to time and to commands: a value, and pure functions of it.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::spec::{Plan, Target, after};
use crate::protocol::Json;

/// A tick that is found at most this late is on time: the machine was busy, or the process
/// restarted quickly.
const GRACE: TimeDelta = TimeDelta::minutes(1);

/// The maximum number of late ticks that run together: the last ones.
const TICKS_AT_ONCE: usize = 60;

/// Whether a schedule starts instances at its ticks.
///
/// ```
/// use durable::TaskHub;
/// use durable::client::HubError;
/// use durable::schedule::{ScheduleQuery, ScheduleStatus};
///
/// async fn print_paused(hub: &TaskHub) -> Result<(), HubError> {
///     let paused = ScheduleQuery::new().status(ScheduleStatus::Paused);
///     for schedule in hub.stream(paused).try_collect().await? {
///         println!("{}", schedule.id);
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ScheduleStatus {
    /// It starts an instance at each tick.
    Active,
    /// It skips its ticks.
    Paused,
    /// It has ended; nothing more will happen.
    Ended,
    /// The instance that drives it is [suspended](crate::RuntimeStatus::Suspended).
    Suspended,
}

impl fmt::Display for ScheduleStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The state of a schedule: the input of each of its executions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) plan: Plan,
    pub(super) target: Target,
    pub(super) paused: bool,
    /// When the plan was made; `None` before the first execution.
    pub(super) since: Option<DateTime<Utc>>,
    /// The last tick that ran.
    pub(super) last_tick: Option<DateTime<Utc>>,
    /// When it ran.
    pub(super) last_run_at: Option<DateTime<Utc>>,
    /// `None` while it is paused and after the last tick.
    pub(super) next_run_at: Option<DateTime<Utc>>,
    pub(super) runs: u64,
}

/// A command to a schedule: the payload of the external event `durable.schedule`.
#[crate::event(name = "durable.schedule", crate = crate)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Command {
    Pause,
    Resume,
    Update { plan: Box<Plan>, target: Option<Box<Target>> },
}

/// The progress of a schedule, as its custom status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    pub(super) status: ScheduleStatus,
    pub(super) recurrence: String,
    pub(super) orchestration: String,
    pub(super) last_run_at: Option<DateTime<Utc>>,
    pub(super) next_run_at: Option<DateTime<Utc>>,
    pub(super) runs: u64,
}

/// The event for which a schedule waits, besides commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Until(DateTime<Utc>),
    Told,
    Over,
}

impl State {
    pub(super) fn new(plan: Plan, target: Target) -> Self {
        Self {
            plan,
            target,
            paused: false,
            since: None,
            last_tick: None,
            last_run_at: None,
            next_run_at: None,
            runs: 0,
        }
    }

    /// In the first execution, finds the first tick, which lies in the past if the start does.
    pub(super) fn begin(&mut self, now: DateTime<Utc>) {
        if self.since.is_none() {
            self.since = Some(now);
            self.next_run_at = self.plan.first(now, self.plan.start_at.unwrap_or(now));
        }
    }

    pub(super) fn wait(&self, now: DateTime<Utc>) -> Wait {
        match (self.next_run_at, self.plan.end_at) {
            (Some(next), _) => Wait::Until(next),
            (None, Some(end)) if now < end => Wait::Until(end),
            (None, None) if self.paused => Wait::Told,
            (None, _) => Wait::Over,
        }
    }

    /// Returns the ticks to run now, and sets the next one.
    ///
    /// Ticks within the grace period all run, at most [`TICKS_AT_ONCE`]. If all are older, they
    /// were missed.
    pub(super) fn due(&mut self, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let due = self.next_run_at.filter(|due| *due <= now);
        let (Some(first), Some(since)) = (due, self.since) else { return Vec::new() };
        let last = self.plan.last(since, first, now);
        let missed = now - last > GRACE;
        let over = self.plan.end_at.is_some_and(|end| now > end);
        self.next_run_at = self.plan.first(since, after(now));
        if missed && (over || !self.plan.start_immediately_if_late) {
            return Vec::new();
        }
        let mut ticks = vec![last];
        let mut tick = last;
        while !missed && tick > first && ticks.len() < TICKS_AT_ONCE {
            let before = self.plan.last(since, first, tick - TimeDelta::microseconds(1));
            if before >= tick || now - before > GRACE {
                break;
            }
            ticks.push(before);
            tick = before;
        }
        ticks.reverse();
        self.last_tick = Some(last);
        self.last_run_at = Some(now);
        self.runs += ticks.len() as u64;
        ticks
    }

    /// Carries out a command, after all ticks that were due before it.
    pub(super) fn obey(&mut self, command: Command, now: DateTime<Utc>) {
        match command {
            Command::Pause => self.paused = true,
            Command::Resume if !self.paused => return,
            Command::Resume => self.paused = false,
            Command::Update { plan, target } => {
                // An update that changes nothing keeps the ticks: programs may send one at every
                // start.
                if self.plan != *plan {
                    self.plan = *plan;
                    self.since = Some(now);
                }
                if let Some(target) = target {
                    self.target = *target;
                }
            }
        }
        let past = self.last_tick.map_or(now, |last| now.max(last));
        let next = self.plan.first(self.since.unwrap_or(now), after(past));
        self.next_run_at = next.filter(|_| !self.paused);
    }

    /// The progress as JSON; `over` if the schedule has ended.
    pub(super) fn progress(&self, over: bool) -> Json {
        let status = match (over, self.paused) {
            (true, _) => ScheduleStatus::Ended,
            (false, true) => ScheduleStatus::Paused,
            (false, false) => ScheduleStatus::Active,
        };
        let progress = Progress {
            status,
            recurrence: self.plan.recurrence.to_string(),
            orchestration: self.target.name.clone(),
            last_run_at: self.last_run_at,
            next_run_at: self.next_run_at,
            runs: self.runs,
        };
        // Such a value always has a JSON form.
        serde_json::to_string(&progress).map_or_else(|_| Json::null(), Json::trusted)
    }
}
