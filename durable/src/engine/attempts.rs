//! Failed attempts that are retried: noted when the retry policy decides, for the hub's log.
//!
//! A replay finds decisions in the history and notes nothing, so each is noted once.

use std::borrow::Cow;

use super::execution::Execution;
use crate::protocol::EventKind;

/// An attempt of an activity or a sub-orchestration that failed and is retried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailedAttempt {
    pub(crate) task: i32,
    pub(crate) attempt: u32,
    /// Name of the activity or orchestration.
    pub(crate) name: Cow<'static, str>,
}

impl Execution {
    /// Notes a failure that has just been judged, if it is retried.
    pub(super) fn note_failed_attempt(&mut self, judged: &EventKind) {
        let EventKind::TaskAttemptFailed { task_scheduled_id: task, attempt, .. } = *judged else {
            return;
        };
        if let Some(name) = self.open.name(task) {
            self.failed_attempts.push(FailedAttempt { task, attempt, name });
        }
    }

    /// The attempts that failed since this was last called. Those whose `TaskAttemptFailed` is not
    /// written count as not decided.
    pub(crate) fn take_failed_attempts(&mut self) -> Vec<FailedAttempt> {
        std::mem::take(&mut self.failed_attempts)
    }
}
