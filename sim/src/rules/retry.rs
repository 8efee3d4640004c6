//! I4: a call fails for good only if its policy says so, or its time limit has passed.
//!
//! "Makes up to this many attempts", "begins no attempt after this time" (`RetryPolicy`); "the time
//! limits of its open calls count from here" (`ExecutionRewound`).

use std::collections::BTreeMap;
use std::time::Duration;

use durable::protocol::{EventKind, FailureDetails, HistoryEvent, Json, Timestamp};

use crate::program::Activity;

/// The longest interval, unless the first is longer.
const LONGEST: Duration = Duration::from_hours(1);

struct Open {
    call: Activity,
    /// When the time limits of the call began.
    since: Timestamp,
    /// The number of failed attempts.
    failed: u32,
    /// The number of answers that had arrived before the call.
    answers: usize,
}

pub(super) fn by_the_book(history: &[HistoryEvent]) -> Result<(), String> {
    let mut open: BTreeMap<i32, Open> = BTreeMap::new();
    // The answers that arrive during a suspension. Each of them may end the wait for the others,
    // which are not checked in that case.
    let mut suspended: Option<usize> = None;
    let mut was_suspended = false;
    for (index, event) in history.iter().enumerate() {
        match &event.kind {
            EventKind::ExecutionSuspended { .. } => {
                was_suspended = true;
                let resumption = history[index..]
                    .iter()
                    .position(|it| matches!(it.kind, EventKind::ExecutionResumed { .. }));
                // Without a resumption, nothing is checked.
                let answers = |until: usize| answers_in(&history[index..][..until]);
                suspended = Some(resumption.map_or(usize::MAX, answers));
            }
            EventKind::ExecutionResumed { .. } => suspended = None,
            EventKind::TaskScheduled { input, .. } => {
                if let Some(call) = call(input) {
                    let answers = answers_in(&history[..index]);
                    let opened = Open { call, since: event.timestamp, failed: 0, answers };
                    open.insert(event.event_id, opened);
                }
            }
            EventKind::ExecutionRewound { .. } => {
                for open in open.values_mut() {
                    open.since = event.timestamp;
                }
            }
            EventKind::TaskAttemptFailed { task_scheduled_id: task, failure, retry_at, .. } => {
                let Some(open) = open.get_mut(task) else { continue };
                open.failed += 1;
                if open.is_final(failure, event.timestamp) == Some(true) {
                    return Err(format!("task {task} is retried, and its policy forbids it"));
                }
                if *retry_at > event.timestamp.after(open.interval(open.failed)) {
                    return Err(format!("task {task} is retried later than its policy says"));
                }
                // A failure during a suspension counts from the time of the failure, and is
                // recorded later.
                let is_prompt = suspended.is_none() && !was_suspended;
                if is_prompt && *retry_at < event.timestamp.after(open.interval(open.failed)) {
                    return Err(format!("task {task} is retried sooner than its policy says"));
                }
            }
            EventKind::TaskFailed { task_scheduled_id: task, failure, attempt, .. } => {
                let is_judged_later = history[index..].iter().any(|later| {
                    matches!(&later.kind, EventKind::TaskAttemptFailed { task_scheduled_id, .. }
                        if task_scheduled_id == task)
                });
                // An answer since the call may have ended the wait for it before the suspension.
                let may_be_dropped = |call: &Open| {
                    let has_others = answers_in(&history[..index]) > call.answers;
                    suspended.is_some_and(|answers| answers > 1 || has_others)
                };
                let call =
                    open.get_mut(task).filter(|call| !is_judged_later && !may_be_dropped(call));
                let Some(call) = call else { continue };
                if attempt.is_none() && failure.error_type == FailureDetails::TIMEOUT {
                    let limit = call.call.timeout.map(|limit| call.since.after(limit.positive()));
                    if limit.is_none_or(|limit| event.timestamp < limit) {
                        return Err(format!("task {task} fails before its time is up"));
                    }
                    // The failure of its last attempt may still arrive during a suspension.
                    open.remove(task);
                    continue;
                }
                call.failed += 1;
                if call.is_final(failure, event.timestamp) == Some(false) {
                    return Err(format!("task {task} fails, and its policy retries it"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn answers_in(events: &[HistoryEvent]) -> usize {
    events.iter().filter(|event| is_answer(&event.kind)).count()
}

fn is_answer(kind: &EventKind) -> bool {
    use EventKind::{
        EntityOperationCompleted, EntityOperationFailed, EventRaised,
        SubOrchestrationInstanceCompleted, SubOrchestrationInstanceFailed, TaskCompleted,
        TaskFailed, TimerFired,
    };
    matches!(
        kind,
        EntityOperationCompleted { .. }
            | EntityOperationFailed { .. }
            | EventRaised { .. }
            | SubOrchestrationInstanceCompleted { .. }
            | SubOrchestrationInstanceFailed { .. }
            | TaskCompleted { .. }
            | TaskFailed { .. }
            | TimerFired { .. }
    )
}

impl Open {
    /// Whether the last failure ends the call. `None` if that depends on when the hub handled it.
    fn is_final(&self, failure: &FailureDetails, at: Timestamp) -> Option<bool> {
        let Self { call, since, failed, .. } = self;
        let is_last = *failed >= call.attempts || call.is_picky && *failed >= 3;
        if failure.non_retriable || is_last {
            return Some(true);
        }
        match call.retry_timeout {
            None => Some(false),
            Some(limit) => {
                let last = since.after(limit.positive().max(call.first.positive()));
                (at.after(self.interval(*failed)) <= last).then_some(false)
            }
        }
    }

    /// The time from this failure to the next attempt.
    fn interval(&self, failed: u32) -> Duration {
        let first = self.call.first.positive();
        let factor = if self.call.doubles { 1 << (failed.clamp(1, 20) - 1) } else { 1 };
        (first * factor).min(first.max(LONGEST))
    }
}

/// The call of an activity, from its input.
pub(super) fn call(input: &Json) -> Option<Activity> {
    input.read::<Activity>().ok().or_else(|| Some(input.read::<(Activity,)>().ok()?.0))
}
