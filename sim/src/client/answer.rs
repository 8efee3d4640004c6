//! I16: which answers fit the states that an instance had while an operation was in progress.
//!
//! Read `rules/answer.rs` first. If an operation is not answered, or the answer is that the hub has
//! stopped, it fits every state.

use durable::client::{HubError, ManageError, StartError};
use durable::protocol::RuntimeStatus;
use durable::schedule::ScheduleError;

use super::act::{Checked, holds};
use crate::rules::{Committed, Seen, State};

/// An operation on an instance that is in progress.
#[derive(Clone)]
pub(super) struct Asked {
    committed: Committed,
    id: String,
    /// The number of commits when the operation began.
    since: u64,
}

/// What a successful operation reports.
#[derive(Clone, Copy)]
pub(super) enum Done {
    Suspended,
    Resumed,
    Terminated,
    Rewound,
    Purged,
    Raised,
    /// A schedule was created.
    Created,
    /// A schedule was shown.
    Described,
}

impl Asked {
    pub(super) fn new(committed: &Committed, id: &str) -> Self {
        Self::since(committed, id, committed.commits())
    }

    /// An operation that began after this many commits.
    pub(super) fn since(committed: &Committed, id: &str, since: u64) -> Self {
        Self { committed: committed.clone(), id: id.to_owned(), since }
    }

    pub(super) fn committed(&self) -> &Committed {
        &self.committed
    }

    fn fits(&self, answer: &dyn std::fmt::Debug, fits: impl Fn(&Seen<State>) -> bool) -> Checked {
        let seen = self.committed.seen(&self.id, self.since);
        holds(fits(&seen), || {
            let statuses = seen.statuses();
            format!(
                "I16 no state of {} during the request fits the answer {answer:?}: it was {statuses}",
                self.id
            )
        })
    }

    /// Checks the answer to a start that may replace instances with some statuses.
    pub(super) fn started(
        &self,
        started: Result<(), &StartError>,
        replaces: &[RuntimeStatus],
    ) -> Checked {
        let may_replace = |state: &State| state.is_none_or(|(_, it)| replaces.contains(&it));
        match started {
            Ok(()) => self.fits(&"started", |seen| {
                seen.became(|from, to| {
                    let execution = |state: &State| state.map(|(execution, _)| execution);
                    may_replace(from) && to.is_some() && execution(from) != execution(to)
                })
            }),
            Err(error) => self.not_started(error, replaces),
        }
    }

    fn not_started(&self, error: &StartError, replaces: &[RuntimeStatus]) -> Checked {
        match error {
            StartError::AlreadyExists { status, .. } => {
                self.fits(error, |seen| !replaces.contains(status) && seen.had(|it| it == *status))
            }
            StartError::Hub(error) => self.no_instance(error),
            _ => Ok(()),
        }
    }

    /// Checks the answer to a start of an instance that may already exist.
    pub(super) fn is_there(&self, started: Result<(), &StartError>) -> Checked {
        match started {
            Ok(()) => self.fits(&"exists", |seen| seen.had(|_| true)),
            Err(StartError::Hub(error)) => self.no_instance(error),
            Err(_) => Ok(()),
        }
    }

    /// Checks the answer to a request that changes an instance.
    pub(super) fn managed(&self, managed: Result<(), &ManageError>, done: Done) -> Checked {
        match managed {
            Ok(()) => self.fits(&"done", |seen| done.fits(seen)),
            Err(error) => self.refused(error),
        }
    }

    /// Checks the refusal of a request that changes an instance.
    pub(super) fn refused(&self, error: &ManageError) -> Checked {
        let had = |is_it: fn(RuntimeStatus) -> bool, status: RuntimeStatus| {
            self.fits(error, |seen| is_it(status) && seen.had(|it| it == status))
        };
        match error {
            ManageError::Finished { status, .. } => had(RuntimeStatus::is_finished, *status),
            ManageError::NotFinished { status, .. } => had(|it| !it.is_finished(), *status),
            ManageError::NotFailed { status, .. } => had(|it| it != RuntimeStatus::Failed, *status),
            ManageError::CannotRewind { .. } => had(|_| true, RuntimeStatus::Failed),
            ManageError::StillSuspended(_) => had(|_| true, RuntimeStatus::Suspended),
            ManageError::Hub(error) => self.no_instance(error),
            _ => Ok(()),
        }
    }

    /// Checks the answer that an event was not raised because the instance does not run.
    pub(super) fn has_ended_or_is_missing(&self) -> Checked {
        self.fits(&"not running", |seen| seen.was_missing() || seen.had(RuntimeStatus::is_finished))
    }

    /// Checks the answer to a restart of this instance, under its own id or `as_other`.
    pub(super) fn restarted(
        &self,
        restarted: Result<(), &ManageError>,
        as_other: Option<&Self>,
    ) -> Checked {
        let ended = [RuntimeStatus::Completed, RuntimeStatus::Failed, RuntimeStatus::Terminated];
        let (target, replaces) = match as_other {
            Some(other) => (other, &[][..]),
            None => (self, &ended[..]),
        };
        match restarted {
            Ok(()) => target.started(Ok(()), replaces),
            Err(ManageError::Start(error)) => target.not_started(error, replaces),
            Err(error) => self.refused(error),
        }
    }

    /// Checks the answer to an operation on a schedule, which is driven by this instance.
    pub(super) fn scheduled(&self, answer: Result<(), &ScheduleError>, done: Done) -> Checked {
        match answer {
            Ok(()) => self.fits(&"done", |seen| done.fits(seen)),
            Err(error @ ScheduleError::NoSuchSchedule(_)) => self.fits(error, Seen::was_missing),
            Err(error @ ScheduleError::AlreadyExists(_)) => {
                self.fits(error, |seen| seen.had(|_| true))
            }
            Err(error @ ScheduleError::Ended(_)) => {
                self.fits(error, |seen| seen.had(RuntimeStatus::is_finished))
            }
            Err(_) => Ok(()),
        }
    }

    /// Checks the answer to a request for the status.
    pub(super) fn found(&self, found: Result<RuntimeStatus, &HubError>) -> Checked {
        match found {
            Ok(status) => self.fits(&status, |seen| seen.had(|it| it == status)),
            Err(error) => self.no_instance(error),
        }
    }

    /// Checks the answer to a wait for the first step.
    pub(super) fn begun(&self, begun: Result<(), &HubError>) -> Checked {
        match begun {
            Ok(()) => self.fits(&"begun", |seen| seen.had(|it| it != RuntimeStatus::Pending)),
            Err(error) => self.no_instance(error),
        }
    }

    fn no_instance(&self, error: &HubError) -> Checked {
        match error {
            HubError::NoSuchInstance(_) => self.fits(error, Seen::was_missing),
            _ => Ok(()),
        }
    }
}

impl Done {
    fn fits(self, seen: &Seen<State>) -> bool {
        use RuntimeStatus::{Failed, Suspended, Terminated};
        let is_status = |state: &State, status| state.is_some_and(|(_, it)| it == status);
        match self {
            Self::Suspended => seen.had(|it| it == Suspended),
            // It may also end in the same commit.
            Self::Resumed => {
                seen.had(|it| it != Suspended && !it.is_finished())
                    || seen.became(|from, to| is_status(from, Suspended) && to.is_some())
            }
            Self::Terminated => seen.became(|_, to| is_status(to, Terminated)),
            // It may fail again in the same commit.
            Self::Rewound => seen.had(|it| it == Failed),
            Self::Purged => seen.became(|from, to| from.is_some() && to.is_none()),
            Self::Raised => seen.had(|it| !it.is_finished()),
            Self::Created => seen.became(|from, to| from.is_none() && to.is_some()),
            Self::Described => seen.had(|_| true),
        }
    }
}
