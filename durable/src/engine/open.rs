//! The open tasks of an execution: recorded requests without a result, and when each is due.
//!
//! This is only a table: `translate.rs` knows what an open task means to the hub, and `attempts.rs`
//! decides whether a failed attempt is retried.
//!
//! Rules:
//! 1. While an activity waits for its next attempt, the task is due at the time that the event of
//!    the failed attempt names. The next attempt of a sub-orchestration is sent out at once, as a
//!    start at that time, because it must be sent exactly once.
//! 2. A call's timeout counts from its record, over all attempts.
//! 3. After a rewind, all time limits of open tasks count from the rewind.

use std::collections::{BTreeMap, BTreeSet};

use super::action::AttemptId;
use crate::orchestration::request::{Ask, Request};
use crate::protocol::Timestamp;

/// The id under which an execution waits for its own start.
pub(super) const START: i32 = -1;

/// All open tasks of an execution.
#[derive(Debug, Default)]
pub(super) struct OpenTasks {
    tasks: BTreeMap<i32, Open>,
    /// The tasks by the time at which they are due.
    alarms: BTreeSet<(Timestamp, i32)>,
    /// Number of running activities.
    running: usize,
    /// Approximate size of the tasks in bytes.
    bytes: usize,
}

/// A recorded request without a result.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) request: Box<Request>,
    /// The time at which it was recorded or, if later, the instance was rewound.
    pub(super) since: Timestamp,
    /// How often the instance was rewound while it was open.
    pub(super) rewinds: u32,
    /// The running or next attempt, counted from 1.
    pub(super) attempt: u32,
    /// When the next attempt of an activity begins, if no attempt is running.
    retry_at: Option<Timestamp>,
}

/// Something that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    /// A timer, or the start of the execution.
    Timer { id: i32, fire_at: Timestamp },
    /// The time limit of a call.
    Timeout(i32),
    /// The next attempt of an activity.
    Attempt(i32),
}

impl Open {
    /// When the next attempt of an activity begins, if no attempt is running.
    pub(super) fn retry_at(&self) -> Option<Timestamp> {
        self.retry_at
    }

    /// The running or next attempt.
    pub(super) fn attempt(&self) -> AttemptId {
        AttemptId { rewinds: self.rewinds, number: self.attempt }
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        match &self.request.ask {
            Ask::Timer { limit: Some(limit), .. } if self.rewinds > 0 => {
                Some(self.since.after(*limit))
            }
            Ask::Timer { fire_at, .. } => Some(*fire_at),
            Ask::Activity(call) | Ask::SubOrchestration { call, .. } => {
                call.options.timeout.map(|limit| self.since.after(limit))
            }
            Ask::SendEvent { .. }
            | Ask::CallEntity { .. }
            | Ask::SignalEntity { .. }
            | Ask::LockEntities(_)
            | Ask::UnlockEntities { .. } => None,
        }
    }

    fn alarms(&self, id: i32) -> impl Iterator<Item = (Timestamp, i32)> + use<> {
        self.deadline().into_iter().chain(self.retry_at).map(move |at| (at, id))
    }

    fn bytes(&self) -> usize {
        let payload = self.request.payload().map_or(0, |payload| payload.as_str().len());
        size_of::<Self>() + size_of::<Request>() + payload
    }

    pub(super) fn is_activity(&self) -> bool {
        matches!(self.request.ask, Ask::Activity(_))
    }

    pub(super) fn is_running_activity(&self) -> bool {
        self.is_activity() && self.retry_at.is_none()
    }
}

impl OpenTasks {
    /// Opens the task of a request that was recorded at this time, unless the request is one-way.
    pub(super) fn insert(&mut self, id: i32, request: Box<Request>, since: Timestamp) {
        if request.is_one_way() {
            return;
        }
        self.put(id, Open { request, since, rewinds: 0, attempt: 1, retry_at: None });
    }

    /// Restarts the time limits, because the instance was rewound at `at` (rule 3).
    pub(super) fn rewind(&mut self, at: Timestamp) {
        for id in self.tasks.keys().copied().collect::<Vec<_>>() {
            if let Some(open) = self.take(id) {
                self.put(id, Open { since: at, rewinds: open.rewinds + 1, ..open });
            }
        }
    }

    /// Makes the execution itself due at its start time.
    pub(super) fn wait_for_start(&mut self, at: Timestamp) {
        self.alarms.insert((at, START));
    }

    /// Clears the start time, because the execution has started.
    pub(super) fn start(&mut self) {
        self.alarms.retain(|(_, id)| *id != START);
    }

    /// Closes a task that has its result or no longer needs one.
    pub(super) fn remove(&mut self, id: i32) -> Option<Box<Request>> {
        self.take(id).map(|open| open.request)
    }

    pub(super) fn get(&self, id: i32) -> Option<&Open> {
        self.tasks.get(&id)
    }

    /// All open tasks, in the order of their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i32, &Open)> {
        self.tasks.iter().map(|(id, open)| (*id, open))
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.alarms.first().map(|(at, _)| *at)
    }

    /// Approximate memory use in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn has_running_activities(&self) -> bool {
        self.running > 0
    }

    /// Schedules the next attempt at `retry_at`, after an attempt failed (rule 1).
    pub(super) fn retry(&mut self, id: i32, attempt: u32, retry_at: Timestamp) {
        if let Some(mut open) = self.take(id) {
            open.attempt = attempt.saturating_add(1);
            open.retry_at = open.is_activity().then_some(retry_at);
            self.put(id, open);
        }
    }

    /// Takes one due task. The caller repeats the call until it returns `None`.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<Alarm> {
        let &(at, id) = self.alarms.first().filter(|(at, _)| *at <= now)?;
        self.alarms.remove(&(at, id));
        if id == START {
            return Some(Alarm::Timer { id, fire_at: at });
        }
        let open = self.tasks.get_mut(&id)?;
        if open.deadline() != Some(at) {
            open.retry_at = None;
            self.running += usize::from(open.is_running_activity());
            return Some(Alarm::Attempt(id));
        }
        let is_timer = matches!(open.request.ask, Ask::Timer { .. });
        Some(if is_timer { Alarm::Timer { id, fire_at: at } } else { Alarm::Timeout(id) })
    }

    fn put(&mut self, id: i32, open: Open) {
        self.running += usize::from(open.is_running_activity());
        self.bytes += open.bytes();
        self.alarms.extend(open.alarms(id));
        self.tasks.insert(id, open);
    }

    fn take(&mut self, id: i32) -> Option<Open> {
        let open = self.tasks.remove(&id)?;
        self.running -= usize::from(open.is_running_activity());
        self.bytes -= open.bytes();
        for alarm in open.alarms(id) {
            self.alarms.remove(&alarm);
        }
        Some(open)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::Location;
    use std::time::Duration;

    use super::*;
    use crate::orchestration::request::{FunctionCall, TaskOptions};
    use crate::protocol::Json;

    fn at(second: u64) -> Timestamp {
        Timestamp::default().after(Duration::from_secs(second))
    }

    fn request(ask: Ask) -> Box<Request> {
        Box::new(Request { ask, source: Location::caller() })
    }

    fn activity(timeout: Option<u64>) -> Box<Request> {
        let timeout = timeout.map(Duration::from_secs);
        let options = TaskOptions { timeout, ..TaskOptions::default() };
        let (name, input) = ("charge".into(), Json::null());
        request(Ask::Activity(FunctionCall { name, version: None, input, options }))
    }

    fn timer(second: u64, limit: Option<u64>) -> Box<Request> {
        request(Ask::Timer { fire_at: at(second), limit: limit.map(Duration::from_secs) })
    }

    #[test]
    fn an_activity_runs_again_when_its_next_attempt_is_due() {
        let mut open = OpenTasks::default();
        open.insert(0, activity(None), at(1));
        assert!(open.has_running_activities() && open.next_due().is_none());
        open.retry(0, 1, at(5));
        assert!(!open.has_running_activities());
        assert_eq!((open.next_due(), open.pop_due(at(4))), (Some(at(5)), None));
        assert_eq!(open.pop_due(at(5)), Some(Alarm::Attempt(0)));
        assert!(open.has_running_activities() && open.next_due().is_none());
        assert_eq!(open.get(0).unwrap().attempt, 2);
    }

    #[test]
    fn a_timeout_counts_over_all_attempts() {
        let mut open = OpenTasks::default();
        open.insert(0, activity(Some(3)), at(1));
        open.retry(0, 1, at(2));
        assert_eq!(open.pop_due(at(9)), Some(Alarm::Attempt(0)));
        assert_eq!(open.pop_due(at(9)), Some(Alarm::Timeout(0)));
        assert_eq!(open.pop_due(at(9)), None);
    }

    #[test]
    fn a_rewind_restarts_time_limits_and_keeps_timers() {
        let mut open = OpenTasks::default();
        open.insert(0, activity(Some(3)), at(1));
        open.insert(1, timer(2, Some(1)), at(1));
        open.insert(2, timer(2, None), at(1));
        open.rewind(at(10));
        let due: Vec<_> = std::iter::from_fn(|| open.pop_due(at(99))).collect();
        let timer = |id, second| Alarm::Timer { id, fire_at: at(second) };
        assert_eq!(due, [timer(2, 2), timer(1, 11), Alarm::Timeout(0)]);
    }

    #[test]
    fn a_closed_task_is_never_due_and_takes_no_memory() {
        let mut open = OpenTasks::default();
        open.wait_for_start(at(4));
        open.insert(0, activity(Some(3)), at(1));
        open.insert(1, timer(2, None), at(1));
        assert!(open.bytes() > 0);
        open.remove(0);
        open.remove(1);
        open.start();
        assert_eq!(
            (open.bytes(), open.has_running_activities(), open.next_due()),
            (0, false, None)
        );
    }
}
