//! Whether a failed attempt is retried.
//!
//! Rules:
//! 1. A failed attempt that is retried adds a single event and does not poll the orchestrator.
//! 2. Whether to retry is decided once: when the failure arrives or, if the instance is suspended
//!    then, when it resumes. A replay finds the decision in the history and does not ask the
//!    policy.
//! 3. Each decision is reported once, for the hub's log.

use super::action::FailedAttempt;
use super::execution::Execution;
use crate::chance;
use crate::panics;
use crate::protocol::{EventKind, Timestamp};
use crate::retry::Decision;

impl Execution {
    /// Converts an event that arrived at `now` into the event to record: a call's failure that is
    /// retried becomes a failed attempt. Any other event stays as it is.
    pub(super) fn judge(&self, kind: EventKind, now: Timestamp) -> EventKind {
        let Some((id, failure)) = kind.failure_of_run() else { return kind };
        let Some(open) = self.open.get(id) else { return kind };
        let policy = open.request.call().and_then(|call| call.options.retry.as_ref());
        let Some(policy) = policy else { return kind };
        let execution_id = self.scope.execution_id;
        let (high, low) = uuid::Uuid::from_bytes(*execution_id.as_bytes()).as_u64_pair();
        let stream = high.wrapping_add(low) ^ u64::from(id.unsigned_abs());
        let chance = chance::fraction(chance::number(stream, u64::from(open.attempt)));
        let decide = || policy.decide(failure, open.attempt, now.since(open.since), chance);
        // The decision may be user code. If that panics, the task has failed.
        match panics::catch(decide).unwrap_or(Decision::GiveUp) {
            Decision::GiveUp => kind,
            Decision::RetryAfter(delay) => EventKind::TaskAttemptFailed {
                task_scheduled_id: id,
                attempt: open.attempt,
                failure: failure.clone(),
                retry_at: now.after(delay),
                began: kind.attempt_began(),
            },
        }
    }

    /// Notes a failure for the log if it was just decided to retry it.
    pub(super) fn note_failed_attempt(&mut self, judged: &EventKind) {
        let EventKind::TaskAttemptFailed { task_scheduled_id: task, attempt, .. } = *judged else {
            return;
        };
        if let Some(call) = self.open.get(task).and_then(|open| open.request.call()) {
            self.failed_attempts.push(FailedAttempt { task, attempt, name: call.name.clone() });
        }
    }

    /// The retries that were decided since the last call. A retry whose `TaskAttemptFailed` is not
    /// written counts as undecided.
    pub(crate) fn take_failed_attempts(&mut self) -> Vec<FailedAttempt> {
        std::mem::take(&mut self.failed_attempts)
    }
}
