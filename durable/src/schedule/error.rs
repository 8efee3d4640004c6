//! Errors of schedules.

use std::time::Duration;

use crate::hub::{HubError, ManageError, StartError};
use crate::protocol::InvalidInstanceId;

/// The error returned when a schedule is invalid.
///
/// ```
/// use durable::schedule::{InvalidSchedule, Schedule};
///
/// let error = Schedule::cron("every day").unwrap_err();
/// assert!(matches!(error, InvalidSchedule::Cron { .. }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSchedule {
    /// The cron pattern is invalid, or never matches.
    #[error("`{}` is not a cron pattern: {reason}", .pattern.escape_debug())]
    Cron {
        /// The pattern.
        pattern: String,
        /// What is wrong with the pattern.
        reason: String,
    },
    /// The interval is shorter than a second.
    #[error("a schedule cannot run every {0:?}: the shortest interval is 1 s")]
    Interval(Duration),
    /// It ends before it begins.
    #[error("a schedule cannot end ({end_at}) before it begins ({start_at})")]
    EndsBeforeStart {
        /// When it would begin.
        start_at: chrono::DateTime<chrono::Utc>,
        /// When it would end.
        end_at: chrono::DateTime<chrono::Utc>,
    },
    /// The prefix is not valid as the beginning of an instance id.
    #[error("the ids of started instances cannot begin with the given prefix")]
    InstanceIdPrefix(#[source] InvalidInstanceId),
    /// The prefix is too long: a tick's time is appended to it.
    #[error(
        "a prefix of {characters} characters is too long; for instance ids, it may have at most {max}"
    )]
    LongInstanceIdPrefix {
        /// Its length in characters.
        characters: usize,
        /// The maximum length.
        max: usize,
    },
    /// The call has an option that the schedule sets itself.
    #[error("a scheduled call cannot have the option `{call}`; {instead}")]
    CallOption {
        /// The option.
        call: &'static str,
        /// What to write instead.
        instead: &'static str,
    },
}

/// The error returned when an operation on a schedule is refused. Nothing has changed.
///
/// ```
/// use durable::TaskHub;
/// use durable::schedule::{ScheduleError, ScheduledCall};
///
/// /// Creates the schedule, unless an earlier run of this program has.
/// async fn ensure(hub: &TaskHub, id: &str, schedule: ScheduledCall) -> Result<(), ScheduleError> {
///     match hub.create_schedule(id, schedule).await {
///         Ok(_) | Err(ScheduleError::AlreadyExists(_)) => Ok(()),
///         Err(error) => Err(error),
///     }
/// }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The schedule is invalid.
    #[error(transparent)]
    Invalid(#[from] InvalidSchedule),
    /// The id is invalid.
    #[error("the id of a schedule must follow the rules for instance ids")]
    InvalidId(#[from] InvalidInstanceId),
    /// The id is too long: a tick's time is appended to it.
    #[error(
        "an id of {characters} characters is too long for a schedule; it may have at most {max}"
    )]
    IdTooLong {
        /// Its length in characters.
        characters: usize,
        /// The maximum length.
        max: usize,
    },
    /// The id is taken.
    #[error(
        "schedule `{0}` exists already; change it with `hub.schedule(..)?.update(..)`, or delete it \
         first"
    )]
    AlreadyExists(String),
    /// The schedule does not exist.
    #[error("there is no schedule `{0}`")]
    NoSuchSchedule(String),
    /// The schedule has ended.
    #[error("schedule `{0}` has ended; delete it and create it again")]
    Ended(String),
    /// The orchestration is not registered, or the input cannot be stored.
    #[error(transparent)]
    Start(Box<StartError>),
    /// The request to the schedule was refused.
    #[error(transparent)]
    Manage(Box<ManageError>),
    /// The hub could not answer.
    #[error(transparent)]
    Hub(#[from] HubError),
}

impl From<StartError> for ScheduleError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Hub(error) => Self::Hub(error),
            error => Self::Start(Box::new(error)),
        }
    }
}
