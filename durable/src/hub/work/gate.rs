//! When the transaction of a transactional activity may be committed.

use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};

use super::activities::Activities;
use super::job::{Job, JobKey};
use super::jobs::Ticket;
use crate::limits::Limits;
use crate::protocol::{FailureDetails, Json};
use crate::transaction::CommitGate;

/// The gate of one attempt of a transactional activity.
#[derive(Debug)]
pub(super) struct AttemptGate {
    activities: Weak<Activities>,
    key: JobKey,
    /// The number of the running job.
    number: u64,
    limits: Limits,
    is_committing: AtomicBool,
}

impl AttemptGate {
    pub(super) fn new(
        activities: Weak<Activities>,
        job: &Job,
        ticket: &Ticket,
        limits: Limits,
    ) -> Self {
        let (key, number, is_committing) = (job.key(), ticket.number(), AtomicBool::new(false));
        Self { activities, key, number, limits, is_committing }
    }

    /// Whether the outcome of the attempt depends on a commit that has begun.
    pub(super) fn is_committing(&self) -> bool {
        self.is_committing.load(Ordering::Acquire)
    }
}

impl CommitGate for AttemptGate {
    fn begin_commit(&self) -> Result<(), FailureDetails> {
        let activities = self.activities.upgrade();
        if activities.is_some_and(|activities| activities.wants(&self.key, self.number)) {
            self.is_committing.store(true, Ordering::Release);
            return Ok(());
        }
        let message = "it was cancelled before its transaction was committed";
        Err(FailureDetails::new(FailureDetails::TERMINATED, message))
    }

    fn fitting(&self, output: Json) -> Result<Json, FailureDetails> {
        self.limits.fitting("the output", output)
    }
}
